// The door for commands over the bus: node agents send them, since they cannot reach the gateway's port. A command takes
// the same access checks and the same dispatch as a request over HTTPS; its subject says who sends it.
import {
  ApiError,
  badRequest,
  internalError,
  isApiError,
  requestEntityTooLarge,
  type Status,
  tooManyRequests,
} from '@shiplog/api/status'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import {
  type CommandLine,
  type CommandOutcome,
  decodeCommand,
  encodeOutcome,
  type ReceivedCommand,
} from '@shiplog/api-client/wire/command'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import type { User } from '@shiplog/domain/strategy'
import type { Bus, BusMessage } from '@shiplog/events/bus/bus'
import { commandFilter, gatewayQueue } from '@shiplog/events/bus/bus-subjects'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { statusOfUnavailable } from '../write/append-health.ts'
import type { Authorizer } from '../access/rbac-authorizer.ts'
import { busUser, mayAnswer } from './identity.ts'
import { bodyBytesMax, type GatewayRequest } from '../request/gateway-request.ts'
import { isValueAnswer, type ValueAnswer } from '../operations/answer.ts'
import type { Operations } from '../operations/operations.ts'
import { createPresenter } from '../representation/presenter.ts'
import { findResource } from '../store/kinds.ts'
import { accessResource } from '../access/resource-access.ts'
import { selectorsOf } from '../access/selectors.ts'

/** Commands under way at once, of one agent and of all; past it the answer is 429. */
const commandsOfUserMax = 256
const commandsMax = 4_096
const retryAfterSeconds = 1

export interface BusCommandsDeps {
  readonly bus: Bus
  readonly operations: Operations
  readonly authorizer: Authorizer
  readonly ids: Ids
  readonly logger: Logger
}

/** The field manager of node agents, as upstream's. */
const agentsManager = 'kubelet'

/** Serves commands until disposed; those that are under way are answered still. */
export function serveBusCommands(deps: BusCommandsDeps): Disposable {
  const { bus, authorizer, operations, logger } = deps
  const underWay = new Map<string, number>()
  let total = 0

  async function onMessage(message: BusMessage): Promise<void> {
    const user = busUser(message.subject)
    if (user === undefined || !mayAnswer(message)) return
    const ofUser = underWay.get(user.name) ?? 0
    let outcome: CommandOutcome
    if (ofUser >= commandsOfUserMax || total >= commandsMax) {
      outcome = refused(tooManyRequests('too many commands are under way', retryAfterSeconds))
    } else {
      underWay.set(user.name, ofUser + 1)
      total += 1
      try {
        outcome = await answerTo(user, message.payload)
      } finally {
        total -= 1
        const left = underWay.get(user.name)! - 1
        if (left === 0) underWay.delete(user.name)
        else underWay.set(user.name, left)
      }
    }
    let answer = encodeOutcome(outcome)
    if (answer.length > bus.payloadBytesMax) {
      const why = `the answer has ${answer.length} bytes, and the bus carries ${bus.payloadBytesMax}: ask for less, with a limit`
      answer = encodeOutcome({ ...refused(requestEntityTooLarge(why)), sequence: outcome.sequence })
    }
    bus.publish(message.reply!, answer)
  }

  async function answerTo(user: User, payload: Uint8Array): Promise<CommandOutcome> {
    try {
      const command = decodeCommand(payload)
      if (typeof command === 'string') return refused(badRequest(command))
      return await carryOut(user, command)
    } catch (error) {
      if (isApiError(error)) return refused(error.status)
      const status = statusOfUnavailable(error)
      if (status) return refused(status)
      logger.error({ err: error, user: user.name }, 'bus command failed')
      return refused(internalError('the request could not be completed; the log of the gateway says why'))
    }
  }

  async function carryOut(user: User, { line, body }: ReceivedCommand): Promise<CommandOutcome> {
    if (body !== undefined && body.length > bodyBytesMax) {
      return refused(requestEntityTooLarge(`limit is ${bodyBytesMax}`))
    }
    const query = new URLSearchParams(line.query)
    const target = targetOf(line)
    const { group } = line
    const found = await findResource(operations.kinds, (known) =>
      line.version === undefined
        ? known.storage(groupResourceOf(group, line.resource))
        : known.resource(group, line.version, line.resource),
    )
    const version = line.version ?? found.resource?.version ?? ''
    const asked = { ...target, group, version, resource: line.resource, user, method: line.verb }
    const access = accessResource({ authorizer, resource: found.resource }, { ...asked, selectors: selectorsOf(line.verb, query) })
    if ('refusal' in access) return refused(access.refusal)
    const { resource, verb } = access
    const kind = found.catalogue.kind(resource)
    const { cause, basis, decision } = line
    const request: GatewayRequest = {
      ...{ kind, resource, query, user },
      ...{ subresource: target.subresource, namespace: target.namespace, name: target.name },
      body: body === undefined ? undefined : { bytes: body, contentType: line.patchType ?? 'application/json' },
      defaultManager: agentsManager,
      requestId: deps.ids.uuid(),
      ...(line.onlyNew ? { onlyNew: true } : {}),
      ...(line.once ? { once: line.once } : {}),
      provenance: {
        ...(cause === undefined ? {} : { cause }),
        ...(basis === undefined ? {} : { basis }),
        ...(decision === undefined ? {} : { decision }),
      },
    }
    // Before anything is held for it.
    if (verb === 'watch') throw new ApiError(badRequest('watches are not served over the bus'))
    const answer = await operations.dispatch(verb, request)
    if (!isValueAnswer(answer)) throw new ApiError(badRequest('streams are not served over the bus'))
    const { code, sequence } = answer
    return { code, sequence, body: bytesOf(kind, answer, operations.nowMs) }
  }

  return bus.subscribe(
    commandFilter('request'),
    (message) => void onMessage(message).catch((err: unknown) => logger.error({ err }, 'failed to answer a bus command')),
    { queue: gatewayQueue },
  )
}

/** What a path would say: collections have no name, everything else has one. */
function targetOf({ verb, subresource = '', namespace = '', name = '' }: CommandLine) {
  const isCollection = verb === 'list' || verb === 'deletecollection' || (verb === 'create' && subresource === '')
  if (!isCollection && name === '') throw new ApiError(badRequest(`a ${verb} names the object`))
  return { verb, subresource, namespace, name: isCollection ? '' : name }
}

function bytesOf(kind: ServedKind, answer: ValueAnswer, nowMs: () => number): Buffer {
  if (answer.kind === 'status') return json(answer.body)
  const present = createPresenter(kind, { as: 'object', yaml: false }, { nowMs, includeObject: 'Metadata' })
  if (answer.kind === 'object') return present.object(answer.object, answer.bytes)
  if (answer.deleted) return json(answer.deleted)
  return Buffer.concat([...present.list(answer.versions, answer.meta).pieces])
}

const refused = (status: Status): CommandOutcome => ({ code: status.code, sequence: 0, body: json(status) })

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
