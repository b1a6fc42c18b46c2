// A time, as the reader wants times.
import { clockText, durationText, useNow, useTimeStyle } from '../data/time.ts'

export function Moment({ ms, now }: { readonly ms: number; readonly now?: number | undefined }) {
  const style = useTimeStyle()
  const tick = useNow()
  const full = `${clockText(ms)} · ${clockText(ms, true)}`
  const text = style === 'relative' ? durationText((now ?? tick) - ms) : clockText(ms, style === 'utc')
  return (
    <time dateTime={new Date(ms).toISOString()} title={full}>
      {text}
    </time>
  )
}
