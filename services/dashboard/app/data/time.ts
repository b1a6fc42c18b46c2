// Times as people want them: how long ago, of their clock, or UTC.
import { useSyncExternalStore } from 'react'

export type TimeStyle = 'relative' | 'local' | 'utc'

const styleKey = 'shiplog-times'
const listeners = new Set<() => void>()
let style: TimeStyle = (localStorage.getItem(styleKey) as TimeStyle | null) ?? 'relative'

export function setTimeStyle(next: TimeStyle): void {
  style = next
  localStorage.setItem(styleKey, next)
  for (const listener of listeners) listener()
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export const useTimeStyle = (): TimeStyle => useSyncExternalStore(subscribe, () => style)

/** As kubectl writes ages. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
  if (days < 730) return `${days}d`
  return `${Math.floor(days / 365)}y`
}

const pad = (value: number): string => String(value).padStart(2, '0')

export function clockText(ms: number, utc = false): string {
  const date = new Date(ms)
  return utc
    ? `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
    : `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}

/** A clock that ticks once a second for all who look, and not while nobody can see it. */
let nowMs = Date.now()
const tickers = new Set<() => void>()
window.setInterval(() => {
  if (document.hidden) return
  nowMs = Date.now()
  for (const ticker of tickers) ticker()
}, 1_000)
export const useNow = (): number =>
  useSyncExternalStore(
    (listener) => {
      tickers.add(listener)
      return () => tickers.delete(listener)
    },
    () => nowMs,
  )
