// How much work one turn of the event loop may still do for whoever compiles or runs what users wrote. A step is about ten
// nanoseconds. Nothing here waits: what would take longer than a turn is broken off, and done again where nobody waits for
// it (services/api-gateway/src/write/long-checks.ts). Outside of `inTurn` there is no such bound.
let left = Number.POSITIVE_INFINITY

/** Some ten milliseconds. */
export const turnStepsMax = 1_000_000

/** The turn is over: nothing on the way catches this. */
class TurnOver extends Error {}

export const spendSteps = (steps: number): void => {
  left -= steps
  if (left < 0) throw new TurnOver('more work than fits into one turn')
}

/** What the work comes to; undefined when it was too much for one turn. */
export const inTurn = <Result>(work: () => Result, stepsMax = turnStepsMax): Result | undefined => {
  const before = left
  left = Math.min(before, stepsMax)
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TurnOver)) throw error
    return undefined
  } finally {
    left = before
  }
}

/**
 * A module that is read with its first use. Where that is in a turn, the turn is over, and the next use finds the module:
 * reading one takes some ten milliseconds.
 */
export const lateModule = <Module>(now: () => Module, later: () => Promise<Module>): (() => Module) => {
  let read: Module | undefined
  let reading: Promise<void> | undefined
  return () => {
    if (read !== undefined) return read
    if (left === Number.POSITIVE_INFINITY) return (read = now())
    reading ??= later().then(
      (module) => void (read = module),
      () => void (reading = undefined),
    )
    throw new TurnOver('a module is to be read first')
  }
}
