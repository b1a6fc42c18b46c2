// What users wrote as rules may take longer to judge than one request may keep all others waiting. So whoever drives the
// stages of a write makes such judgements: tests in place; the gateway in the turn of the request where they fit into it
// (libs/cel/src/meter.ts), and on another thread where they do not.
import { inTurn } from '@shiplog/cel/meter'
import type { CustomResourceSubresourceScale, JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import type { PolicyQuestion } from '../policy/evaluate-policy.ts'
import type { KnownAnswers } from './policy-check.ts'

/** All that the judgement depends on, as JSON. */
export type LongCheckInput =
  | {
      readonly of: 'resource'
      /** One object as long as the definition stays as it is. */
      readonly schema: JSONSchemaProps
      readonly object: KubeObject
      readonly before?: KubeObject | undefined
      readonly isStatus: boolean
      readonly scale?: CustomResourceSubresourceScale | undefined
    }
  | {
      readonly of: 'built-in'
      /** Plural with its group: `customresourcedefinitions.apiextensions.k8s.io`. */
      readonly groupResource: string
      readonly object: KubeObject
      readonly before?: KubeObject | undefined
    }
  | {
      /** A question to an admission policy (policy-check.ts). */
      readonly of: 'policy'
      readonly question: PolicyQuestion
      readonly known: KnownAnswers
    }

export interface LongCheck {
  readonly input: LongCheckInput
  /** The judgement, here and now. */
  readonly run: () => readonly StatusCause[]
}

/** Steps of a decision that may ask for such checks; each is answered with its causes. */
export type Steps<Result> = Generator<LongCheck, Result, readonly StatusCause[]>

/** Drives the steps, with every check made in place. */
export const settledNow = <Result>(steps: Steps<Result>): Result => {
  let step = steps.next([])
  while (!step.done) step = steps.next(step.value.run())
  return step.value
}

/** Drives the steps; what does not fit into this turn of the event loop is made by `make`. */
export const settledBy = async <Result>(
  steps: Steps<Result>,
  make: (check: LongCheck) => Promise<readonly StatusCause[]>,
): Promise<Result> => {
  let step = steps.next([])
  while (!step.done) step = steps.next(inTurn(step.value.run) ?? (await make(step.value)))
  return step.value
}
