// One round of a key, apart from the sending: what the reconciler is told of the rounds before, and what the answers to
// its commands mean. Shared by the controller loop and the step-by-step harness of the tests.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { type Status, usedNameCause } from '@shiplog/api/status'
import { keepsOnlyLast } from '@shiplog/feed/stream-of'
import type { Command, CommandFailure, EventRecord } from './reconciler.ts'
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
  /** What reviews have answered: the key's next round follows at once. */
  readonly answers: readonly KubeObject[]
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
  const answers: KubeObject[] = []
  for (const [{ request, event, failureEvent, asks }, answer] of answered) {
    if (answer.ok && asks) answers.push(answer.object)
    else if (answer.ok) {
      if (isInView(request)) sequence = Math.max(sequence, answer.sequence)
      if (event) events.push(event)
    } else if (hasCause(answer.status, usedNameCause)) usedNames.push(usedNameOf(request))
    else if (!hasCause(answer.status, 'NamespaceTerminating')) {
      failures.push({ request, status: answer.status })
      if (failureEvent && !isRace(answer.status)) events.push(failureEvent(answer.status))
    }
  }
  return { sequence, events, failures, usedNames, answers }
}

/** What a key's next round is told of those before it. */
export interface KeyHistory {
  /** The sequence of the change that enqueued the key. */
  readonly cause: number | undefined
  readonly failures: readonly CommandFailure[]
  readonly usedNameRounds: number
  readonly answers: readonly KubeObject[]
}

/** Remembers between rounds what the next one of a key has to know. */
export class KeyHistories {
  readonly #causes = new Map<string, number>()
  readonly #failures = new Map<string, readonly CommandFailure[]>()
  readonly #usedNameRounds = new Map<string, number>()
  readonly #answers = new Map<string, readonly KubeObject[]>()

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
    const answers = this.#answers.get(key) ?? []
    this.#answers.delete(key)
    const failures = this.#failures.get(key) ?? []
    return { cause, failures, answers, usedNameRounds: this.#usedNameRounds.get(key) ?? 0 }
  }

  /** What the reviews of a round have answered, for the next one. */
  noteAnswers(key: string, answers: readonly KubeObject[]): void {
    if (answers.length > 0) this.#answers.set(key, answers)
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
    this.#answers.delete(key)
  }
}
