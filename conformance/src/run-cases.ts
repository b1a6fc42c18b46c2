// Runs cases outside vitest: several at a time, those that need the cluster for themselves at the end. The sabotage check
// and `npm run conformance` use it.
import type { Case } from './case.ts'
import { type Bench, runCase, SetUpError } from './context.ts'

export interface Outcome {
  readonly id: string
  readonly ms: number
  /** Undefined when it passed. */
  readonly error: string | undefined
  /** True when the case could not even begin. */
  readonly neverBegan: boolean
}

export interface RunOptions {
  readonly concurrency: number
  readonly onOutcome?: (outcome: Outcome) => void
}

export async function runCases(cases: readonly Case[], bench: Bench, options: RunOptions): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  const runOne = async (given: Case): Promise<void> => {
    const started = performance.now()
    let error: string | undefined
    let neverBegan = false
    try {
      await runCase(given, bench)
    } catch (thrown) {
      neverBegan = thrown instanceof SetUpError
      error = thrown instanceof Error ? thrown.message : String(thrown)
    }
    const outcome = { id: given.id, ms: Math.round(performance.now() - started), error, neverBegan }
    outcomes.push(outcome)
    options.onOutcome?.(outcome)
  }
  const queue = cases.filter((one) => !one.alone)
  const worker = async (): Promise<void> => {
    for (let given = queue.shift(); given; given = queue.shift()) await runOne(given)
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker))
  for (const given of cases.filter((one) => one.alone)) await runOne(given)
  return outcomes
}
