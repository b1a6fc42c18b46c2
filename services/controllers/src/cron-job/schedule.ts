// Schedules of CronJobs as robfig/cron v3 reads and follows them, daylight saving included: a time that a clock skips is left
// out or comes an hour later, one that comes twice may fire twice, exactly as there (schedule.test.ts compares with its
// answers on record). Instants are seconds since the epoch.

/** When a schedule fires next after an instant; undefined when it does not within five years. */
export interface Schedule {
  next(afterSeconds: number): number | undefined
}

export type Parsed = { readonly schedule: Schedule } | { readonly problem: string }

/** Which values match; `any` when the field said `*`. */
interface Field {
  readonly matches: readonly (boolean | undefined)[]
  readonly any: boolean
}

interface Bounds {
  readonly low: number
  readonly high: number
  readonly names?: readonly string[]
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const bounds: readonly Bounds[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: months },
  { low: 0, high: 6, names: days },
]

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

const yearsAhead = 5
/** Zones of which something is remembered. */
const zonesMax = 1_000
const minuteSeconds = 60
const hourSeconds = 3_600
const daySeconds = 86_400

class Problem extends Error {}

/** Reads `5 4 * * *`, `@daily`, `@every 1h30m`, each also behind `TZ=Europe/Berlin `. */
export function parseSchedule(text: string, timeZone = 'UTC'): Parsed {
  try {
    return { schedule: parse(text, timeZone) }
  } catch (err) {
    if (err instanceof Problem) return { problem: err.message }
    throw err
  }
}

function parse(text: string, defaultZone: string): Schedule {
  if (text === '') throw new Problem('empty spec string')
  const prefixed = /^(?:CRON_)?TZ=(\S*) (.*)$/s.exec(text)
  const zone = prefixed ? prefixed[1]! : defaultZone
  const rest = (prefixed ? prefixed[2]! : text).trim()
  if (!isTimeZone(zone)) throw new Problem(`provided bad location ${zone}: unknown time zone ${zone}`)
  if (rest.startsWith('@every ')) return every(rest)
  const spec = rest.startsWith('@') ? descriptors[rest] : rest
  if (spec === undefined) throw new Problem(`unrecognized descriptor: ${rest}`)
  const fields = spec.split(/\s+/).filter(Boolean)
  if (fields.length !== bounds.length) {
    throw new Problem(`expected exactly ${bounds.length} fields, found ${fields.length}: [${fields.join(' ')}]`)
  }
  const [minute, hour, day, month, weekday] = fields.map((field, i) => parseField(field, bounds[i]!))
  return clockSchedule({ minute: minute!, hour: hour!, day: day!, month: month!, weekday: weekday! }, zone)
}

/** Names that were asked about: looking one up is slow. */
const knownZones = new Map<string, boolean>()

/** Whether the database of time zones has the name. */
export function isTimeZone(name: string): boolean {
  let known = knownZones.get(name)
  if (known === undefined) {
    try {
      new Intl.DateTimeFormat('en', { timeZone: name })
      known = true
    } catch {
      known = false
    }
    if (knownZones.size >= zonesMax) knownZones.clear()
    knownZones.set(name, known)
  }
  return known
}

function parseField(text: string, of: Bounds): Field {
  const matches: boolean[] = []
  let any = false
  for (const part of text.split(',').filter(Boolean)) any = parseRange(part, of, matches) || any
  return { matches, any }
}

/** Marks the values of one part; true when it said `*`. */
function parseRange(part: string, { low, high, names }: Bounds, matches: boolean[]): boolean {
  const [range = '', stepText, ...more] = part.split('/')
  const ends = range.split('-')
  const isAny = ends[0] === '*' || ends[0] === '?'
  const first = isAny ? low : numberOf(ends[0]!, names)
  if (!isAny && ends.length > 2) throw new Problem(`too many hyphens: ${part}`)
  if (more.length > 0) throw new Problem(`too many slashes: ${part}`)
  const step = stepText === undefined ? 1 : numberOf(stepText)
  const openEnd = isAny || (stepText !== undefined && ends.length === 1)
  const last = openEnd ? high : ends.length > 1 ? numberOf(ends[1]!, names) : first
  if (first < low) throw new Problem(`beginning of range (${first}) below minimum (${low}): ${part}`)
  if (last > high) throw new Problem(`end of range (${last}) above maximum (${high}): ${part}`)
  if (first > last) throw new Problem(`beginning of range (${first}) beyond end of range (${last}): ${part}`)
  if (step === 0) throw new Problem(`step of range should be a positive number: ${part}`)
  for (let value = first; value <= last; value += step) matches[value] = true
  return isAny && step === 1
}

function numberOf(text: string, names: readonly string[] = []): number {
  const index = names.indexOf(text.toLowerCase())
  if (index >= 0) return names === months ? index + 1 : index
  if (!/^\d+$/.test(text))
    throw new Problem(`failed to parse int from ${text}: strconv.Atoi: parsing "${text}": invalid syntax`)
  return Number(text)
}

const unitSeconds: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: minuteSeconds,
  h: hourSeconds,
}
const duration = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/

/** Fires at whole seconds after the last time, at least one. */
function every(text: string): Schedule {
  const amount = text.slice('@every '.length)
  if (!duration.test(amount)) throw new Problem(`failed to parse duration ${text}: time: invalid duration "${amount}"`)
  let seconds = 0
  for (const [, value, unit] of amount.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    seconds += Number(value) * unitSeconds[unit!]!
  }
  const step = amount.startsWith('-') ? 1 : Math.max(1, Math.floor(seconds + 1e-9))
  return { next: (after) => Math.floor(after) + step }
}

// ── the clock ────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Fields {
  readonly minute: Field
  readonly hour: Field
  readonly day: Field
  readonly month: Field
  readonly weekday: Field
}

interface Wall {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly weekday: number
}

/** A time during which a zone keeps its offset; seconds all. */
interface Period {
  readonly from: number
  readonly to: number
  readonly offset: number
}

/** The period that each zone was last asked about: a search stays in one for long. */
const lastPeriods = new Map<string, Period>()
function periodAt(zone: string, seconds: number): Period {
  const at = Temporal.Instant.fromEpochMilliseconds(seconds * 1000).toZonedDateTimeISO(zone)
  // The transition before is the one that began this period, also when it is this very instant.
  const from = at.add({ nanoseconds: 1 }).getTimeZoneTransition('previous')
  const to = at.getTimeZoneTransition('next')
  return {
    from: from ? from.epochMilliseconds / 1000 : Number.NEGATIVE_INFINITY,
    to: to ? to.epochMilliseconds / 1000 : Number.POSITIVE_INFINITY,
    offset: at.offsetNanoseconds / 1e9,
  }
}

/** The offset of a zone from UTC at an instant, in seconds. */
function offsetAt(zone: string, seconds: number): number {
  if (zone === 'UTC') return 0
  let period = lastPeriods.get(zone)
  if (!period || seconds < period.from || seconds >= period.to) {
    period = periodAt(zone, seconds)
    if (lastPeriods.size >= zonesMax) lastPeriods.clear()
    lastPeriods.set(zone, period)
  }
  return period.offset
}

function wallAt(zone: string, seconds: number): Wall {
  const local = new Date((seconds + offsetAt(zone, seconds)) * 1000)
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    weekday: local.getUTCDay(),
  }
}

/** The instant of a time on the wall, with Go's choice (time.Date) where a zone skips or repeats it. */
function instantOf(zone: string, year: number, month: number, day: number, hour = 0, minute = 0): number {
  const asUtc = Date.UTC(year, month - 1, day, hour, minute) / 1000
  const offset = offsetAt(zone, asUtc)
  return offset === 0 ? asUtc : asUtc - offsetAt(zone, asUtc - offset)
}

const has = ({ matches }: Field, value: number): boolean => matches[value] === true

/** Day and weekday are both asked for when one of them is `*`; else either will do. */
const dayMatches = ({ day, weekday }: Fields, at: Wall): boolean =>
  day.any || weekday.any ? has(day, at.day) && has(weekday, at.weekday) : has(day, at.day) || has(weekday, at.weekday)

/** A search: where it is, and whether that is the beginning of a unit already, not the instant where it began. */
interface Search {
  readonly zone: string
  seconds: number
  isAligned: boolean
}

/**
 * The largest unit first; a step that turns a larger unit over begins anew. Larger units are not looked at again otherwise,
 * also where a zone skips midnight: that is how robfig/cron has it.
 */
const clockSchedule = (fields: Fields, zone: string): Schedule => ({
  next: (after) => {
    // `,` as a field matches nothing: five years of minutes need not be looked at to know.
    if (Object.values(fields).some((field: Field) => field.matches.length === 0)) return undefined
    const search: Search = { zone, seconds: Math.floor(after) + 1, isAligned: false }
    const yearMax = wallAt(zone, search.seconds).year + yearsAhead
    while (wallAt(zone, search.seconds).year <= yearMax) {
      if (
        findMonth(search, fields) &&
        findDay(search, fields) &&
        findHour(search, fields) &&
        findMinute(search, fields)
      ) {
        return search.seconds
      }
    }
    return undefined
  },
})

/** Moves to the beginning of the unit that the search is in, once. */
function align(search: Search, start: () => number): void {
  if (!search.isAligned) search.seconds = start()
  search.isAligned = true
}

/** Each of these: false when a larger unit has turned over. */
function findMonth(search: Search, { month }: Fields): boolean {
  for (;;) {
    let at = wallAt(search.zone, search.seconds)
    if (has(month, at.month)) return true
    align(search, () => instantOf(search.zone, at.year, at.month, 1))
    at = wallAt(search.zone, search.seconds)
    search.seconds = addToDate(search, at, 1, 0)
    if (wallAt(search.zone, search.seconds).month === 1) return false
  }
}

function findDay(search: Search, fields: Fields): boolean {
  for (;;) {
    let at = wallAt(search.zone, search.seconds)
    if (dayMatches(fields, at)) return true
    align(search, () => instantOf(search.zone, at.year, at.month, at.day))
    at = wallAt(search.zone, search.seconds)
    search.seconds = addToDate(search, at, 0, 1)
    const { hour } = wallAt(search.zone, search.seconds)
    // A zone may have no midnight on this day, or one that is 23 o'clock of the day before.
    if (hour > 12) search.seconds += (daySeconds / hourSeconds - hour) * hourSeconds
    else search.seconds -= hour * hourSeconds
    if (wallAt(search.zone, search.seconds).day === 1) return false
  }
}

/** The same time of day, months or days later. */
const addToDate = (search: Search, at: Wall, months: number, more: number): number =>
  instantOf(search.zone, at.year, at.month + months, at.day + more, at.hour, at.minute)

function findHour(search: Search, { hour }: Fields): boolean {
  for (;;) {
    const at = wallAt(search.zone, search.seconds)
    if (has(hour, at.hour)) return true
    align(search, () => instantOf(search.zone, at.year, at.month, at.day, at.hour))
    search.seconds += hourSeconds
    if (wallAt(search.zone, search.seconds).hour === 0) return false
  }
}

function findMinute(search: Search, { minute }: Fields): boolean {
  for (;;) {
    const at = wallAt(search.zone, search.seconds)
    const isWhole = search.seconds % minuteSeconds === 0
    if (has(minute, at.minute) && isWhole) return true
    // Seconds that do not fit carry on to the next minute, as a minute that does not fit does.
    search.seconds -= search.seconds % minuteSeconds
    search.isAligned = true
    search.seconds += minuteSeconds
    if (wallAt(search.zone, search.seconds).minute === 0) return false
  }
}
