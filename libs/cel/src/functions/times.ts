// Moments and spans of time.
import { Duration, EvaluationError, noSuchOverload, Timestamp, type Value } from '../values.ts'
import { text, type Functions } from './arguments.ts'

const nanosOf: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}
const second = nanosOf['s']!
const int64Max = 2n ** 63n - 1n

const durationPart = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y

/** As Go's time.ParseDuration: `1h30m`, `-1.5s`. */
export const parseDuration = (given: string): Duration => {
  const invalid = (): EvaluationError =>
    new EvaluationError(`type conversion error from 'string' to 'google.protobuf.Duration'`)
  const negative = given.startsWith('-')
  const rest = given.replace(/^[+-]/, '')
  if (rest === '0') return new Duration(0n)
  if (rest === '' || rest.length > 400) throw invalid()
  let nanos = 0n
  durationPart.lastIndex = 0
  while (durationPart.lastIndex < rest.length) {
    const part = durationPart.exec(rest)
    if (!part || (part[1] === '' && !part[2])) throw invalid()
    const unit = nanosOf[part[3]!]!
    nanos += BigInt(part[1] || '0') * unit
    if (part[2]) nanos += (BigInt(part[2].slice(0, 18)) * unit) / 10n ** BigInt(Math.min(part[2].length, 18))
  }
  if (nanos > int64Max) throw invalid()
  return new Duration(negative ? -nanos : nanos)
}

/** `90061.5s`: seconds, as the language writes them. */
export const formatDuration = ({ nanos }: Duration): string => {
  const [sign, size] = nanos < 0n ? ['-', -nanos] : ['', nanos]
  const fraction = (size % second).toString().padStart(9, '0').replace(/0+$/, '')
  return `${sign}${size / second}${fraction === '' ? '' : `.${fraction}`}s`
}

const timeForm = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/

/** RFC 3339. */
export const parseTimestamp = (given: string): Timestamp => {
  const parts = timeForm.exec(given)
  const [, year, month, day, hour, minute, secondText, fraction = '', zone] = parts ?? []
  const millis = parts ? Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(secondText)) : Number.NaN
  const date = new Date(millis)
  if (!parts || Number(year) < 1 || Number(hour) > 23 || Number(minute) > 59 || Number(secondText) > 59 || date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1)
    throw new EvaluationError(`type conversion error from 'string' to 'google.protobuf.Timestamp'`)
  if (Number(year) < 100) date.setUTCFullYear(Number(year))
  const offset = zone === 'Z' ? 0 : (zone!.startsWith('-') ? -1 : 1) * (Number(zone!.slice(1, 3)) * 60 + Number(zone!.slice(4, 6)))
  return new Timestamp((BigInt(date.getTime()) - BigInt(offset * 60_000)) * 1_000_000n + BigInt(fraction.padEnd(9, '0')))
}

const millisOf = (nanos: bigint): number => Number((nanos - modulo(nanos, 1_000_000n)) / 1_000_000n)
const modulo = (value: bigint, by: bigint): bigint => ((value % by) + by) % by

export const formatTimestamp = ({ nanos }: Timestamp): string => {
  const fraction = modulo(nanos, second).toString().padStart(9, '0').replace(/0+$/, '')
  return `${new Date(millisOf(nanos)).toISOString().slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`
}

interface Parts {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

const fixedZone = /^([+-]?)(\d\d):(\d\d)$/

/** The clock on the wall: in UTC, at an offset, or somewhere. */
const partsAt = (moment: Timestamp, zone: string | undefined): Parts => {
  const offset = zone === undefined ? undefined : fixedZone.exec(zone)
  if (zone === undefined || offset) {
    const minutes = offset ? (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3])) : 0
    const date = new Date(millisOf(moment.nanos) + minutes * 60_000)
    return {
      year: date.getUTCFullYear(),
      month: date.getUTCMonth(),
      day: date.getUTCDate(),
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      second: date.getUTCSeconds(),
    }
  }
  return partsIn(moment, zone)
}

const partsIn = (moment: Timestamp, zone: string): Parts => {
  const numbers: Record<string, number> = {}
  try {
    const clock = new Intl.DateTimeFormat('en-US', {
      ...({ timeZone: zone === '' ? 'UTC' : zone, hourCycle: 'h23', era: 'short' } as const),
      ...({ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const),
    })
    for (const { type, value } of clock.formatToParts(new Date(millisOf(moment.nanos)))) numbers[type] = Number(value)
  } catch {
    throw new EvaluationError(`unknown time zone ${zone}`)
  }
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second: seconds = 0 } = numbers
  return { year, month: month - 1, day, hour, minute, second: seconds }
}

const dayOfYear = ({ year, month, day }: Parts): number =>
  Math.round((Date.UTC(2000, month, day) - Date.UTC(2000, 0, 1)) / 86_400_000) - (month > 1 && !isLeap(year) ? 1 : 0)
const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0

const dayOfWeek = ({ year, month, day }: Parts): number => new Date(Date.UTC(year, month, day)).getUTCDay()

const part =
  (of: (parts: Parts) => number, whole?: (duration: Duration) => bigint) =>
  ([value, zone]: readonly (Value | undefined)[]): Value => {
    if (value instanceof Duration && whole && zone === undefined) return whole(value)
    if (!(value instanceof Timestamp)) throw noSuchOverload()
    return BigInt(of(partsAt(value, zone === undefined ? undefined : text(zone))))
  }

export const timeFunctions: Functions = {
  getFullYear: part(({ year }) => year),
  getMonth: part(({ month }) => month),
  getDate: part(({ day }) => day),
  getDayOfMonth: part(({ day }) => day - 1),
  getDayOfWeek: part(dayOfWeek),
  getDayOfYear: part(dayOfYear),
  getHours: part(({ hour }) => hour, ({ nanos }) => nanos / nanosOf['h']!),
  getMinutes: part(({ minute }) => minute, ({ nanos }) => nanos / nanosOf['m']!),
  getSeconds: part((parts) => parts.second, ({ nanos }) => nanos / second),
  getMilliseconds: ([value, zone]) => {
    if (value instanceof Duration && zone === undefined) return value.nanos / 1_000_000n
    if (!(value instanceof Timestamp)) throw noSuchOverload()
    return modulo(value.nanos, second) / 1_000_000n
  },
}
