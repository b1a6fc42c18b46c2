// Sends the commands of rounds: bounded in flight, with their cause and their fencing, and never for a key that was
// assigned to another replica meanwhile. An unreachable server is an answer, not an exception.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { Status } from '@shiplog/api/status'
import type { ActiveKey, ActiveKeys } from './active-keys.ts'
import type { CommandGate } from './command-gate.ts'
import type { Command } from './reconciler.ts'
import type { Answered } from './round.ts'

/** What the commands of a round rest on. */
export interface RoundBasis {
  /** How far the view was when the round was decided. */
  readonly basis: number
  /** Tells the rounds of all controllers apart. */
  readonly round: string
  readonly cause: number | undefined
  /** Who decided and on what, as JSON; recorded with each command that brings no decision of its own. */
  readonly decision?: string
  /** Undefined when keys are not assigned to replicas. */
  readonly key: ActiveKey | undefined
}

export interface CommandSenderOptions {
  readonly client: ApiClient
  readonly gate: CommandGate
  readonly keys: ActiveKeys
  /** No command is sent once it aborts. */
  readonly stopping: AbortSignal
  readonly fieldManager?: string | undefined
}

const unreachable = (err: unknown): ApiResult => {
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: 'ServiceUnavailable',
    message: err instanceof Error ? err.message : String(err),
    code: 503,
  }
  return { ok: false, code: 503, status }
}

const writes = (verb: ApiRequest['verb']): boolean => verb === 'create' || verb === 'update' || verb === 'patch'

export class CommandSender {
  readonly #options: CommandSenderOptions

  constructor(options: CommandSenderOptions) {
    this.#options = options
  }

  /**
   * Sends all commands at once. `careful`, after a failed round: one first, then twice as many each time, until one is
   * refused; the rest is skipped.
   */
  async send(
    commands: readonly Command[],
    basis: RoundBasis,
    careful: boolean,
  ): Promise<{ readonly answered: readonly Answered[]; readonly skipped: boolean }> {
    const answered: Answered[] = []
    let size = careful ? 1 : commands.length
    while (answered.length < commands.length) {
      const part = commands.slice(answered.length, answered.length + size)
      const answers = await Promise.all(part.map((command) => this.#sendOne(command, basis)))
      part.forEach((command, i) => {
        answered.push([command, answers[i]!])
      })
      if (careful && answers.some((answer) => !answer.ok)) break
      size *= 2
    }
    return { answered, skipped: answered.length < commands.length }
  }

  /** Looks something up: what is answered is no outcome of the round. */
  async ask(requests: readonly ApiRequest[], basis: RoundBasis): Promise<readonly ApiResult[]> {
    return await Promise.all(requests.map((request) => this.#sendOne({ request }, basis)))
  }

  /** How far the log is: a list sees everything that was acknowledged before it. */
  async logEnd({ group, resource, namespace, name }: ApiRequest, basis: number): Promise<ApiResult> {
    const query = { fieldSelector: `metadata.name=${name}` }
    const request: ApiRequest = {
      verb: 'list',
      group,
      resource,
      ...(namespace === undefined ? {} : { namespace }),
      query,
    }
    return await this.#sendOne({ request }, { basis, round: '', cause: undefined, key: undefined })
  }

  async #sendOne(command: Command, basis: RoundBasis): Promise<ApiResult> {
    const { client, gate, keys, stopping } = this.#options
    const { key } = basis
    const isWanted = (): boolean => !key?.isRevoked && !stopping.aborted
    const request = this.#requestOf(command, basis)
    try {
      return await gate(async () => {
        if (!isWanted()) throw new Error(key?.isRevoked ? 'key assigned to another replica' : 'stopping')
        return await keys.track(key, () => client.request({ ...request, ...(key ? { isWanted } : {}) }))
      })
    } catch (err) {
      return unreachable(err)
    }
  }

  #requestOf({ request, onceFor }: Command, { basis, round, cause, decision }: RoundBasis): ApiRequest {
    const { fieldManager } = this.#options
    const query = fieldManager && writes(request.verb) ? { fieldManager, ...request.query } : request.query
    return {
      ...request,
      ...(query ? { query } : {}),
      ...(cause === undefined ? {} : { cause }),
      ...(request.basis === undefined ? { basis } : {}),
      ...(decision === undefined || request.decision !== undefined ? {} : { decision }),
      ...(onceFor === undefined ? {} : { once: { matter: onceFor, round } }),
    }
  }
}
