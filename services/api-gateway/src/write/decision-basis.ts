// What one decision looked at in the projection, so that it can be told afterwards whether it would look the same now. A
// refusal, and a write that changes nothing, stand when their basis still holds once the log was asked.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { Allocations } from '@shiplog/domain/strategy'
import { type GuardState, keyOf, type SubjectState } from '../store/projection.ts'
import type { Stream, Streams } from '../store/streams.ts'
import type { Version } from '../store/version.ts'
import { guardSubject } from './guards.ts'

export class DecisionBasis implements AdmissionView, Allocations {
  readonly #streams: Streams
  /** The stream of the object that is written: its guards are there. */
  readonly #stream: Stream
  readonly #view: AdmissionView
  readonly #checks: (() => boolean)[] = []
  readonly #guards = new Map<string, GuardState | undefined>()

  constructor(streams: Streams, stream: Stream, view: AdmissionView) {
    this.#streams = streams
    this.#stream = stream
    this.#view = view
  }

  /** The present version of an object. */
  current(groupResource: string, namespace: string, name: string): Version | undefined {
    const { current } = this.#streams.of(groupResource).projection.table(groupResource)
    const key = keyOf(namespace, name)
    const version = current.get(key)
    this.#checks.push(() => current.get(key) === version)
    return version
  }

  get(groupResource: string, namespace: string, name: string): KubeObject | undefined {
    this.current(groupResource, namespace, name)
    return this.#view.get(groupResource, namespace, name)
  }

  list(groupResource: string, namespace = ''): readonly KubeObject[] {
    const table = this.#streams.of(groupResource).projection.table(groupResource)
    // A table lists the same array until it changes.
    const versions = table.list(namespace)
    this.#checks.push(() => table.list(namespace) === versions)
    return this.#view.list(groupResource, namespace)
  }

  tombstone(subject: string): SubjectState | undefined {
    const { projection } = this.#stream
    const state = projection.tombstone(subject)
    this.#checks.push(() => projection.tombstone(subject)?.sequence === state?.sequence)
    return state
  }

  /** The guard as the decision saw it first; an append that takes it expects this one. */
  guard(subject: string): GuardState | undefined {
    if (this.#guards.has(subject)) return this.#guards.get(subject)
    const { projection } = this.#stream
    const state = projection.guard(subject)
    this.#guards.set(subject, state)
    this.#checks.push(() => projection.guard(subject)?.sequence === state?.sequence)
    return state
  }

  holder(key: string): string | undefined {
    return this.guard(guardSubject(key))?.holder || undefined
  }

  /** Whether everything that was looked at is as it was. */
  holds(): boolean {
    return this.#checks.every((check) => check())
  }
}
