// What a decision leaves in the log, so that it can be computed again: the state that it saw and what came of it.
//
// The state is the log up to the basis, plus the pods that were decided before but that the basis does not show yet.
// Those are not listed one by one (there may be hundreds): a run numbers its decisions, and the record says from which
// number on some were still open, how many they were, and a digest of them. A reader takes the decisions of the same run
// with numbers in [openFrom, number), leaves out those whose binding or deletion the basis shows and those that an
// attempt record of the same run calls refused (or its pod gone) before this number, and checks count and digest.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Decision } from '@shiplog/scheduling/framework/schedule'
import { preemptionRecord } from '@shiplog/scheduling/framework/post-filter'
import type { ExtenderOpinion } from '@shiplog/scheduling/framework/extenders'
import type { TieRule } from '@shiplog/scheduling/framework/tie-break'

export interface DecisionContext {
  readonly scheduler: string
  /** One life of a scheduler process. */
  readonly run: string
  /** Counts the decisions of the run, from 1. */
  readonly number: number
  /** Hash of the configuration: see configurationHash. */
  readonly configuration: string
  readonly seed: number
  /** The rule by which ties were broken: see tie-break.ts. Records without it were made by the first. */
  readonly ties: TieRule
  readonly assumed: AssumedPods
  /** What extenders said; `tooLong` when it is more than a record holds: then the decision cannot be computed again. */
  readonly extenders?: ExtenderOpinion | { readonly tooLong: true }
}

export interface AssumedPods {
  readonly count: number
  /** The lowest number among them, or this decision's own when there are none. */
  readonly openFrom: number
  /** Snapshot.assumedDigest. */
  readonly digest: number
}

/** The JSON of a decision: in the headers of a binding, and in the record of an attempt that failed. */
export const decisionRecord = (context: DecisionContext, decision: Decision): JsonObject => ({
  ...context,
  ...(decision.node === undefined ? {} : { node: decision.node }),
  feasible: decision.feasible,
  evaluated: decision.evaluated,
  ...(decision.top.length > 0 ? { top: decision.top } : {}),
  ...(decision.failure ? { message: decision.failure.message, rejections: decision.failure.rejections } : {}),
  ...(decision.failure?.preemption ? { preemption: preemptionRecord(decision.failure.preemption) } : {}),
})

/** Longest opinion that is recorded, in characters of JSON: bindings carry it in a header. */
const opinionCharactersMax = 6_000

export const recordedOpinion = (opinion: ExtenderOpinion): DecisionContext['extenders'] =>
  JSON.stringify(opinion).length > opinionCharactersMax ? { tooLong: true } : opinion
