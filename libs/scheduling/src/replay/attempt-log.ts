// What schedulers left in the log of their attempts: decisions in the headers of bindings, failures, refusals, and the
// configurations that were not the default one in records of their own (decision-record.ts of the scheduler writes them).
import type { JsonObject } from '@shiplog/api/kube-object'
import { decodeEnvelope } from '@shiplog/events/envelope'
import { addressOf, contentOf, isDamaged, type PastLog } from '@shiplog/feed/history/past-records'
import type { DamagedRecord, DecodedRecord } from '@shiplog/feed/record-codec'
import type { SchedulerConfiguration } from '../framework/configuration.ts'
import type { ExtenderOpinion } from '../framework/extenders.ts'
import { type PreemptionRecord, preemptionRecord } from '../framework/post-filter.ts'
import type { Decision } from '../framework/schedule.ts'
import type { TieRule } from '../framework/tie-break.ts'

export const podFilter = 'evt.core.pods.>'
const decisionFilter = 'dec.>'

/** What a decision depended on. Nothing of its result is in here: who recomputes it cannot look. */
export interface AttemptInput {
  readonly scheduler: string
  readonly run: string
  readonly number: number
  readonly configuration: string
  readonly seed: number
  /** The rule by which ties were broken. */
  readonly ties: TieRule
  readonly basis: number
  readonly assumed: { readonly count: number; readonly openFrom: number; readonly digest: number }
  /** What extenders said. */
  readonly extenders?: ExtenderOpinion | { readonly tooLong: true }
  /** `namespace/name`; the log up to the basis says which object that was. */
  readonly pod: string
}

/** What came of it, in the form that is recorded. */
export type AttemptResult = Pick<Decision, 'node' | 'feasible' | 'evaluated' | 'top'> & {
  readonly message?: string | undefined
  readonly rejections?: readonly unknown[] | undefined
  readonly preemption?: PreemptionRecord | undefined
}

export interface Attempt {
  readonly input: AttemptInput
  /** The sequence of the record that tells of it, and its time. */
  readonly sequence: number
  readonly timeMs: number
  readonly recorded: AttemptResult
}

/** A decision whose binding was refused: until then its pod was counted on its node. */
export interface Refusal {
  readonly run: string
  readonly number: number
  readonly pod: string
  readonly node: string
  /** Decisions from this number on did not assume it any more. */
  readonly forgottenBefore: number
}

export interface AttemptLog {
  /** In the order in which they were made: by basis, then by number. */
  readonly attempts: readonly Attempt[]
  readonly refusals: ReadonlyMap<string, readonly Refusal[]>
  /** What schedulers said of their configurations, by hash. */
  readonly configurations: ReadonlyMap<string, SchedulerConfiguration>
  /** Where attempts, pods or what nobody knows any more stood. */
  readonly damages: readonly DamagedRecord[]
}

export const resultOf = (decision: Decision): AttemptResult => ({
  node: decision.node,
  feasible: decision.feasible,
  evaluated: decision.evaluated,
  top: decision.top,
  ...(decision.failure ? { message: decision.failure.message, rejections: decision.failure.rejections } : {}),
  ...(decision.failure?.preemption ? { preemption: preemptionRecord(decision.failure.preemption) } : {}),
})

/** Collects what was recorded: decisions in the headers of bindings, failures and refusals in records of their own. */
export async function readAttempts(source: PastLog): Promise<AttemptLog> {
  const attempts: Attempt[] = []
  const refusals = new Map<string, Refusal[]>()
  const configurations = new Map<string, SchedulerConfiguration>()
  const damages: DamagedRecord[] = []
  for await (const records of source.read({ subjects: [podFilter, decisionFilter] })) {
    for (const one of records) {
      if (isDamaged(one)) {
        damages.push(one)
        continue
      }
      const { record } = one
      const isAttempt = one.kind === 'attempt'
      const { decision, basis } = decodeEnvelope(record.headers)
      if (!isAttempt && decision === undefined) continue
      const fields = isAttempt ? contentOf(source.codec, one)! : (JSON.parse(decision!) as JsonObject)
      // Controllers decide about pods as well.
      const { scheduler, refused, basis: seen } = fields
      if (!isAttempt && scheduler === undefined) continue
      const { configuration, profile } = fields
      if (profile !== undefined) {
        configurations.set(configuration, profile)
        continue
      }
      const { namespace, name } = addressOf(record.subject)!
      const pod = `${namespace}/${name}`
      if (refused !== undefined) {
        const refusal = { ...(fields as unknown as Refusal), pod }
        const ofRun = refusals.get(refusal.run)
        if (ofRun) ofRun.push(refusal)
        else refusals.set(refusal.run, [refusal])
        continue
      }
      attempts.push(attemptOf(record, fields, seen ?? basis ?? 0, pod))
    }
  }
  attempts.sort((a, b) => a.input.basis - b.input.basis || a.input.number - b.input.number)
  for (const ofRun of refusals.values()) ofRun.sort((a, b) => a.number - b.number)
  return { attempts, refusals, configurations, damages }
}

function attemptOf(record: DecodedRecord['record'], fields: JsonObject, basis: number, pod: string): Attempt {
  const { scheduler, run, number, configuration, seed, ties = 1, assumed, extenders } = fields
  const { node, feasible, evaluated, top = [], message, rejections, preemption } = fields
  return {
    sequence: record.sequence,
    timeMs: record.timeMs,
    input: { scheduler, run, number, configuration, seed, ties, basis, assumed, pod, ...(extenders ? { extenders } : {}) },
    recorded: {
      ...{ node, feasible, evaluated, top },
      ...(message === undefined ? {} : { message, rejections }),
      ...(preemption === undefined ? {} : { preemption }),
    },
  }
}
