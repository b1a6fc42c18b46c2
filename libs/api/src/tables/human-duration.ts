// Ages as `kubectl get` shows them: two or three significant figures, `5m30s`, `47h`, `3y12d`. The steps are those of
// k8s.io/apimachinery/pkg/util/duration, so that a table and a client-side printer never disagree.

const minuteSeconds = 60
const hourSeconds = 60 * minuteSeconds
const daySeconds = 24 * hourSeconds

const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`

/** `humanDuration(330_000)` is `5m30s`. Up to a second in the future counts as now; more is `<invalid>`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 2 * minuteSeconds) return `${seconds}s`
  const minutes = Math.floor(seconds / minuteSeconds)
  if (minutes < 10) return pair(minutes, 'm', seconds % minuteSeconds, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(seconds / hourSeconds)
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(seconds / daySeconds)
  if (hours < 24 * 8) return pair(days, 'd', hours % 24, 'h')
  if (hours < 24 * 365 * 2) return `${days}d`
  const years = Math.floor(days / 365)
  return hours < 24 * 365 * 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`
}

/** The age of an RFC 3339 time, or `<unknown>` when there is none. */
export function ageOf(time: string | null | undefined, nowMs: number): string {
  return time ? humanDuration(nowMs - Date.parse(time)) : '<unknown>'
}
