// One round of a key, apart from the sending: what the reconciler is told of the rounds before, and what the answers to
// its commands mean. Shared by the controller loop and the step-by-step harness of the tests.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { type Status, usedNameCause } from '@shiplog/api/status'
import { keepsOnlyLast } from '@shiplog/feed/stream-of'
import type { Command, CommandFailure, EventRecord, Observation } from './reconciler.ts'
import { keyOf } from './view.ts'

/** A command with its answer. */
export type Answered = readonly [command: Command, answer: ApiResult]

/** A name that was used before (see ApiRequest.onlyNew). */
export interface UsedName {
  /** The refused create, with the name. */
  readonly request: ApiRequest
  readonly groupResource: string
  readonly key: string
}

/** What the answers to a round's commands mean. */
export interface RoundOutcome {
  /** The view must have seen this sequence before the key's next round. */
  readonly sequence: number
  readonly events: readonly EventRecord[]
  /** Commands to be retried with back-off. */
  readonly failures: readonly CommandFailure[]
  /** The next round chooses other names. */
  readonly usedNames: readonly UsedName[]
}

const hasCause = (status: Status, reason: string): boolean =>
  status.details?.causes?.some((cause) => cause.reason === reason) ?? false

/** Leases and Event objects are in streams of their own, whose sequences say nothing about the view's. */
const isInView = ({ group, resource }: ApiRequest): boolean => !keepsOnlyLast(groupResourceOf(group, resource))

const usedNameOf = (request: ApiRequest): UsedName => {
  const name = request.name ?? (request.body as KubeObject).metadata.name
  const groupResource = groupResourceOf(request.group, request.resource)
  return { request: { ...request, name }, groupResource, key: keyOf(request.namespace, name) }
}

/** A race with another writer: expected, and not worth an Event object or a warning. */
export const isRace = (status: Status): boolean => status.code === 409 || status.code === 404

/** Judges the answers. A namespace that is being deleted refuses creates for good, so there is nothing to retry. */
export function outcomeOf(answered: readonly Answered[]): RoundOutcome {
  let sequence = 0
  const events: EventRecord[] = []
  const failures: CommandFailure[] = []
  const usedNames: UsedName[] = []
  for (const [{ request, event, failureEvent }, answer] of answered) {
    if (answer.ok) {
      if (isInView(request)) sequence = Math.max(sequence, answer.sequence)
      if (event) events.push(event)
    } else if (hasCause(answer.status, usedNameCause)) usedNames.push(usedNameOf(request))
    else if (!hasCause(answer.status, 'NamespaceTerminating')) {
      failures.push({ request, status: answer.status })
      if (failureEvent && !isRace(answer.status)) events.push(failureEvent(answer.status))
    }
  }
  return { sequence, events, failures, usedNames }
}

/** What a key's next round is told of those before it. */
export interface KeyHistory {
  /** The sequence of the change that enqueued the key. */
  readonly cause: number | undefined
  readonly failures: readonly CommandFailure[]
  readonly usedNameRounds: number
  readonly memory: JsonObject | undefined
}

/** Remembers between rounds what the next one of a key has to know. */
export class KeyHistories {
  readonly #causes = new Map<string, number>()
  readonly #failures = new Map<string, readonly CommandFailure[]>()
  readonly #usedNameRounds = new Map<string, number>()
  readonly #memories = new Map<string, JsonObject>()

  /** Keys whose last round had failures. */
  get failing(): number {
    return this.#failures.size
  }

  noteCause(key: string, cause: number | undefined): void {
    if (cause !== undefined) this.#causes.set(key, cause)
  }

  /** Begins a round: its cause is used up. */
  begin(key: string): KeyHistory {
    const cause = this.#causes.get(key)
    this.#causes.delete(key)
    const failures = this.#failures.get(key) ?? []
    return { cause, failures, usedNameRounds: this.#usedNameRounds.get(key) ?? 0, memory: this.#memories.get(key) }
  }

  /** What the next round is told that this one wanted remembered. */
  remember(key: string, memory: JsonObject | undefined): void {
    if (memory === undefined) this.#memories.delete(key)
    else this.#memories.set(key, memory)
  }

  /** Ends a round. A retry has the cause of the round that failed, unless there is a newer one. */
  conclude(key: string, begun: KeyHistory, failures: readonly CommandFailure[], metUsedName: boolean): void {
    if (metUsedName) this.#usedNameRounds.set(key, begun.usedNameRounds + 1)
    else this.#usedNameRounds.delete(key)
    if (failures.length === 0) {
      this.#failures.delete(key)
      return
    }
    this.#failures.set(key, failures)
    if (!this.#causes.has(key)) this.noteCause(key, begun.cause)
  }

  forget(key: string): void {
    this.#causes.delete(key)
    this.#failures.delete(key)
    this.#usedNameRounds.delete(key)
    this.#memories.delete(key)
  }
}

/** Longest decision that is recorded whole, in characters: observed values of a thousand pods, say. */
export const decisionCharactersMax = 64 * 1024

/** What is recorded with every command of a round: who decided, and on what beside the log. */
export function decisionOf(
  reconciler: string,
  key: string,
  observed: JsonObject | undefined,
  memory: JsonObject | undefined,
): string {
  const whose = { reconciler, key }
  if (observed === undefined && memory === undefined) return JSON.stringify(whose)
  const whole = JSON.stringify({ ...whose, ...(observed ? { observed } : {}), ...(memory ? { memory } : {}) })
  return whole.length <= decisionCharactersMax ? whole : JSON.stringify({ ...whose, tooLong: whole.length })
}

/** Runs an observation to its end; `ask` answers its requests. */
export async function observeWith(
  observation: Observation | undefined,
  ask: (requests: readonly ApiRequest[]) => Promise<readonly ApiResult[]>,
): Promise<JsonObject | undefined> {
  if (!observation) return undefined
  for (let step = observation.next(); ; ) {
    if (step.done) return step.value
    step = observation.next(await ask(step.value))
  }
}

/** The same where answers are there at once. */
export function observeNow(
  observation: Observation | undefined,
  ask: (request: ApiRequest) => ApiResult,
): JsonObject | undefined {
  if (!observation) return undefined
  for (let step = observation.next(); ; ) {
    if (step.done) return step.value
    step = observation.next(step.value.map(ask))
  }
}
