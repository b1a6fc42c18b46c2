// Durations as Go writes them (`1m30s`, `1.5h`), which the API's own types hold as text.

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}
const shape = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/

export const nanosecondsPerMs = 1_000_000

/** Milliseconds; undefined for what is no duration. */
export function goDurationMs(text: string): number | undefined {
  if (!shape.test(text)) return undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) ms += Number(amount) * unitMs[unit!]!
  return text.startsWith('-') ? -ms : ms
}

/** Whole milliseconds as Go writes a duration: `15s`, `1m0s`, `1m0.5s`, `250ms`. */
export function goDurationText(ms: number): string {
  if (ms === 0) return '0s'
  if (Math.abs(ms) < 1_000) return `${ms}ms`
  const [sign, all] = ms < 0 ? ['-', -ms] : ['', ms]
  const hours = Math.floor(all / 3_600_000)
  const minutes = Math.floor((all % 3_600_000) / 60_000)
  const seconds = `${(all % 60_000) / 1_000}s`
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`
}
