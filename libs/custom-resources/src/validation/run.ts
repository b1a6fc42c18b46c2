// What one validation carries through a schema: where it is, what it found, and how much work it may still do.
import { spendSteps } from '@shiplog/cel/meter'
import type { StatusCause } from '@shiplog/api/status'

/** Beyond what anybody reads; the rest would only make the answer large. */
const problemsMax = 1_000
/** Steps of pattern matching in one request: some tens of milliseconds at worst. */
export const patternStepsMax = 30_000_000

export interface Problem {
  /** The sentence of the validator, which says whether two are the same. */
  readonly text: string
  readonly cause: StatusCause
}

export interface Work {
  patternSteps: number
}

export interface Run {
  readonly path: (string | number)[]
  /** The field that the schema stands at: `status`, where only that is judged. */
  readonly root: string
  readonly work: Work
  readonly problems: Problem[]
  /** How many checks passed on the way: of alternatives that all fail the one with the most is told of. */
  matches: number
}

export const newRun = (root: string): Run => ({ path: [], root, work: { patternSteps: 0 }, problems: [], matches: 0 })

/** A run of an alternative at the same place. */
export const runInside = (run: Run): Run => ({ path: run.path, root: run.root, work: run.work, problems: [], matches: 0 })

export const merge = (into: Run, from: Run): void => {
  for (const problem of from.problems) add(into, problem.text, problem.cause)
  into.matches += from.matches
}

export const add = ({ problems }: Run, text: string, cause: StatusCause): void => {
  if (problems.length >= problemsMax) return
  spendSteps(problems.length)
  if (!problems.some((one) => one.text === text)) problems.push({ text, cause })
}

/** The path as the sentences name it: `spec.list[0].x`. */
export const pathOf = (run: Run): string => {
  let text = ''
  for (const step of run.path) text += typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`
  return text
}

/** The path as the cause names it; the root itself has none. */
export const fieldOf = (run: Run, path = pathOf(run)): string =>
  run.root === '' ? path || '<nil>' : path === '' ? run.root : `${run.root}.${path}`

/** What is said of the whole at a place has no field of its own upstream. */
export const wholeField = (run: Run): string => run.root || '<nil>'
