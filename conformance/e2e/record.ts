// The checked-in record of Kubernetes' conformance specs: which pass, which fail and why, which were not run. It may only
// improve: a spec that passes on record and fails now fails the run.
import type { Outcome } from './report.ts'

/** By spec: `passed`, `not run`, or why it fails. */
export interface SuiteRecord {
  readonly kubernetes: string
  readonly specs: Readonly<Record<string, string>>
}

const passed = 'passed'
const notRun = 'not run'

export interface Comparison {
  /** Specs that pass on record and do not now, with the reason. */
  readonly worse: readonly string[]
  /** Specs that pass now and did not. */
  readonly better: readonly string[]
  readonly passed: number
  readonly failed: number
  readonly notRun: number
}

export function compare(record: SuiteRecord, outcomes: readonly Outcome[]): Comparison {
  const count = (state: Outcome['state']): number => outcomes.filter((one) => one.state === state).length
  return {
    worse: outcomes
      .filter(({ spec, state }) => state === 'failed' && record.specs[spec] === passed)
      .map(({ spec, why }) => `${spec}: ${why}`),
    better: outcomes
      .filter(({ spec, state }) => state === 'passed' && record.specs[spec] !== passed)
      .map(({ spec }) => spec),
    passed: count('passed'),
    failed: count('failed'),
    notRun: count('not run'),
  }
}

/** The record with a run's outcomes in it; what that run did not reach stays as it was, and so does what has passed. */
export function updated(record: SuiteRecord, outcomes: readonly Outcome[]): SuiteRecord {
  const specs: Record<string, string> = { ...record.specs }
  for (const { spec, state, why } of outcomes) {
    if (state === 'not run') specs[spec] ??= notRun
    else if (specs[spec] !== passed) specs[spec] = state === 'passed' ? passed : (why ?? 'failed')
  }
  return { ...record, specs: Object.fromEntries(Object.entries(specs).toSorted(([a], [b]) => (a < b ? -1 : 1))) }
}

/** `sig-apps: 30 of 60` a line, and the sum. */
export function summary(record: SuiteRecord): readonly string[] {
  const bySig = new Map<string, { all: number; passed: number }>()
  for (const [spec, state] of Object.entries(record.specs)) {
    const sig = /^\[(sig-[a-z-]+)\]/.exec(spec)?.[1] ?? 'other'
    const counts = bySig.get(sig) ?? { all: 0, passed: 0 }
    counts.all++
    if (state === passed) counts.passed++
    bySig.set(sig, counts)
  }
  const lines = [...bySig].toSorted().map(([sig, { all, passed: ours }]) => `${sig}: ${ours} of ${all}`)
  const states = Object.values(record.specs)
  return [...lines, `all: ${states.filter((state) => state === passed).length} of ${states.length}`]
}
