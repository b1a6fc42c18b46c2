// Waiting in tests for what happens by itself: asks again until it holds, and says what never came when it does not.
import { setTimeout as sleep } from 'node:timers/promises'

export interface EventuallyOptions {
  readonly withinMs?: number
  readonly everyMs?: number
  /** Added to the error: what the processes printed, say. */
  readonly details?: () => string
}

type Falsy = false | undefined | null | 0 | ''
type Look<T> = () => T | Promise<T>

const withinDefaultMs = 30_000
const everyDefaultMs = 5

/**
 * The first truthy value that `look` returns. An error that it throws means "not yet"; the last one is the cause of the
 * failure. Without `what` the failure shows the source of `look`.
 *
 *     await eventually(() => cluster.list('pods').length === 3)
 *     const slice = await eventually('the slice', () => slices()[0], { withinMs: 30_000 })
 */
export function eventually<T>(what: string, look: Look<T>, options?: EventuallyOptions): Promise<Exclude<T, Falsy>>
export function eventually<T>(look: Look<T>, options?: EventuallyOptions): Promise<Exclude<T, Falsy>>
export async function eventually<T>(
  first: string | Look<T>,
  second?: Look<T> | EventuallyOptions,
  third?: EventuallyOptions,
): Promise<Exclude<T, Falsy>> {
  const look = (typeof first === 'string' ? second : first) as Look<T>
  const options = (typeof first === 'string' ? third : (second as EventuallyOptions | undefined)) ?? {}
  const what = typeof first === 'string' ? first : String(first)
  const { withinMs = withinDefaultMs, everyMs = everyDefaultMs, details } = options
  const endMs = performance.now() + withinMs
  let cause: unknown
  for (;;) {
    try {
      const found = await look()
      if (found) return found as Exclude<T, Falsy>
    } catch (err) {
      cause = err
    }
    if (performance.now() > endMs) {
      throw new Error(`not within ${withinMs} ms: ${what}${details ? `\n${details()}` : ''}`, { cause })
    }
    await sleep(everyMs)
  }
}
