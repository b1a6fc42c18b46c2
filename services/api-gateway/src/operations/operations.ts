// The table of operations: what can be done to which resource and subresource, and the one dispatch that HTTP, the bus and
// callers of this process share. Who asks, and whether they may, is known by then (access/resource-access.ts).
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import { ApiError, methodNotAllowed, notFound, routeNotFound, type Status } from '@shiplog/api/status'
import type { GatewayRequest, Verb } from '../request/gateway-request.ts'
import type { Kinds } from '../store/kinds.ts'
import { checkWriteOptions } from '../request/request-options.ts'
import { type Answer, statusAnswer } from './answer.ts'
import { bindPod, createBinding } from './binding.ts'
import { evictPod } from './eviction.ts'
import {
  createObject,
  deleteCollection,
  deleteObject,
  getObject,
  listObjects,
  patchObject,
  updateObject,
  watchObjects,
} from './objects.ts'
import { connectOptions, withConnectOptions } from './connect-options.ts'
import { admitBody, type Operation, type OperationDeps } from './operation.ts'
import { answerReview } from './reviews.ts'
import { requestToken } from './token-request.ts'
import { bodyForm } from '../write/asked-write.ts'
import { getScale, patchScale, updateScale } from './scale.ts'

export interface Operations {
  /** Throws ApiError for what is refused. */
  dispatch(verb: Verb, request: GatewayRequest): Promise<Answer>
  /** The kinds that there are, at the time that answers are as of. */
  readonly kinds: Kinds
  /** The time that answers are as of: ages are relative to it. */
  readonly nowMs: () => number
}

const review: Operation = async (deps, request) => {
  const { bodies, reviews } = deps
  const { resource, user, namespace } = request
  const what = { kind: resource.kind, apiVersion: apiVersionOf(resource.group, resource.version) }
  const { object, warnings } = bodies.decode(request, resource.definition, what)
  const form = bodyForm(resource.group, resource.version, resource.kind)
  const told = await admitBody(deps, request, 'CREATE', { object: object as KubeObject, form })
  const answered = await answerReview(resource.resource, object, user, namespace, reviews)
  return statusAnswer(201, answered, 0, [...warnings, ...told])
}

const podLog: Operation = async ({ podLogs }, request) => ({
  kind: 'stream',
  open: (signal) => podLogs.open(request, signal),
})

/** Asks who may connect to it, as to write: what runs is changed by it. */
const connect: Operation = async (deps, request) => {
  const options = connectOptions(request)
  const asked = JSON.stringify(options.object)
  await admitBody(deps, request, 'CONNECT', options)
  const isChanged = JSON.stringify(options.object) !== asked
  const connection = await deps.connections.find(isChanged ? withConnectOptions(request, options.object) : request)
  return { kind: 'connection', connection }
}

type Row = Readonly<Partial<Record<Verb, Operation>>>

const reading: Row = { get: getObject, list: listObjects }
const ofObject: Row = { get: getObject, update: updateObject, patch: patchObject }
const ofReview: Row = { create: review }
/** Any method opens the connection. */
const connecting: Row = { connect }

/** By `<resource>.<group>/<subresource>`; `*` is any resource that has no row of its own. */
const table: Readonly<Record<string, Row>> = {
  '*': {
    ...reading,
    watch: watchObjects,
    create: createObject,
    update: updateObject,
    patch: patchObject,
    delete: deleteObject,
    deletecollection: deleteCollection,
  },
  '*/status': ofObject,
  '*/scale': { get: getScale, update: updateScale, patch: patchScale },
  'namespaces/finalize': { update: updateObject },
  'pods/ephemeralcontainers': ofObject,
  'pods/resize': ofObject,
  'certificatesigningrequests.certificates.k8s.io/approval': ofObject,
  'pods/binding': { create: bindPod },
  'pods/eviction': { create: evictPod },
  'pods/log': { connect: podLog },
  'pods/exec': connecting,
  'pods/attach': connecting,
  'pods/portforward': connecting,
  '*/proxy': connecting,
  'serviceaccounts/token': { create: requestToken },
  componentstatuses: reading,
  'pods.metrics.k8s.io': reading,
  'nodes.metrics.k8s.io': reading,
  bindings: { create: createBinding },
  'selfsubjectreviews.authentication.k8s.io': ofReview,
  'tokenreviews.authentication.k8s.io': ofReview,
  'localsubjectaccessreviews.authorization.k8s.io': ofReview,
  'selfsubjectaccessreviews.authorization.k8s.io': ofReview,
  'selfsubjectrulesreviews.authorization.k8s.io': ofReview,
  'subjectaccessreviews.authorization.k8s.io': ofReview,
}

const writes: ReadonlySet<Verb> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection'])

type Target = Pick<GatewayRequest, 'resource' | 'subresource' | 'name'>

function rowOf({ resource, subresource }: Target): Row | undefined {
  const groupResource = groupResourceOf(resource.group, resource.resource)
  if (subresource === '') return table[groupResource] ?? table['*']
  return table[`${groupResource}/${subresource}`] ?? table[`*/${subresource}`]
}

/** The operation that a verb is on a target; throws ApiError when there is none. */
export function operationOf(verb: Verb, target: Target): Operation {
  const { resource, subresource } = target
  const known = subresource === '' ? resource : resource.subresources.find(({ name }) => name === subresource)
  if (!known) throw new ApiError(routeNotFound())
  // What a proxy is asked beyond the verbs that there are (OPTIONS).
  const isAny = verb === 'connect' && subresource === 'proxy'
  if (!isAny && !known.verbs.includes(verb)) throw new ApiError(methodNotAllowed({ group: '', resource: '' }, verb))
  const row = rowOf(target)
  const operation = row?.connect ?? row?.[verb]
  if (!operation) throw new ApiError(notServedStatus(target))
  return operation
}

const notServedStatus = ({ resource, subresource, name }: Target): Status =>
  name === ''
    ? notFound(resource, '')
    : {
        ...routeNotFound(),
        message: `the subresource ${subresource} of ${resource.resource} is not served by this version of Shiplog`,
      }

export function createOperations(deps: OperationDeps): Operations {
  return {
    kinds: deps.kinds,
    nowMs: deps.nowMs,
    async dispatch(verb, request) {
      const operation = operationOf(verb, request)
      // What is meant for what runs has options of its own.
      if (writes.has(verb) && operation !== connect) checkWriteOptions(verb, request)
      return await deps.converter.answered(request.kind, await operation(deps, request))
    },
  }
}
