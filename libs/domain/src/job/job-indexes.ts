// Sets of a job's indexes, as `0-2,5`.
import { goQuote } from '@shiplog/api/decode/go-quote'

type Interval = readonly [from: number, to: number]

/** One interval, or why it is none. */
const parseInterval = (interval: string, completions: number): Interval | string => {
  const limits = interval.split('-')
  if (limits.length > 2)
    return `the fragment ${goQuote(interval)} violates the requirement that an index interval can have at most two parts separated by '-'`
  for (const limit of limits)
    if (!/^\d+$/.test(limit)) return `cannot convert string to integer for index: ${goQuote(limit)}`
  const [from, to = from] = limits.map(Number) as [number, number?]
  if (from >= completions) return `too large index: ${goQuote(limits[0]!)}`
  if (to! >= completions) return `too large index: ${goQuote(limits.at(-1)!)}`
  if (limits.length === 2 && from >= to!) return `non-increasing order, previous: ${from}, current: ${to}`
  return [from, to!]
}

/** How many indexes a set names, or why it names none. */
export const countIndexes = (text: string, completions: number): number | string => {
  if (text === '') return 0
  let total = 0
  let last = -1
  for (const part of text.split(',')) {
    const interval = parseInterval(part, completions)
    if (typeof interval === 'string') return interval
    const [from, to] = interval
    if (from <= last) return `non-increasing order, previous: ${last}, current: ${from}`
    total += to - from + 1
    last = to
  }
  return total
}

/** The intervals of a set that are ones. */
export const indexIntervals = (text: string, completions: number): readonly Interval[] =>
  text === ''
    ? []
    : text.split(',').flatMap((part) => {
        const interval = parseInterval(part, completions)
        return typeof interval === 'string' ? [] : [interval]
      })
