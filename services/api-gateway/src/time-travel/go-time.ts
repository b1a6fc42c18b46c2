// An RFC 3339 time as Go's time.Parse reads it, with its sentences for what is none: clients show them.

const layout = '2006-01-02T15:04:05Z07:00'

/** What the layout wants in turn. */
const parts: readonly (readonly [element: string, form: RegExp])[] = [
  ['2006', /^\d{4}/],
  ['-', /^-/],
  ['01', /^\d\d/],
  ['-', /^-/],
  ['02', /^\d\d/],
  ['T', /^T/],
  ['15', /^\d{1,2}/],
  [':', /^:/],
  ['04', /^\d\d/],
  [':', /^:/],
  ['05', /^\d\d([.,]\d+)?/],
  ['Z07:00', /^(Z|[+-]\d\d:\d\d)/],
]

/** Milliseconds since the epoch, or why the text is no time. */
export function parseGoTime(text: string): number | string {
  const found: string[] = []
  let rest = text
  for (const [element, form] of parts) {
    const match = form.exec(rest)
    if (!match) {
      const [value, remaining] = [JSON.stringify(text), JSON.stringify(rest)]
      return `parsing time ${value} as "${layout}": cannot parse ${remaining} as "${element}"`
    }
    found.push(match[0])
    rest = rest.slice(match[0].length)
  }
  if (rest !== '') return `parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest)}`
  const [year, , month, , day, , hour, , minute, , second, zone] = found as [string, ...string[]]
  const outOfRange = (what: string): string => `parsing time ${JSON.stringify(text)}: ${what} out of range`
  if (!within(month!, 1, 12)) return outOfRange('month')
  if (!within(day!, 1, daysOf(Number(year), Number(month)))) return outOfRange('day')
  if (!within(hour!, 0, 23)) return outOfRange('hour')
  if (!within(minute!, 0, 59)) return outOfRange('minute')
  if (!within(second!.slice(0, 2), 0, 59)) return outOfRange('second')
  const utc = Date.parse(`${year}-${month}-${day}T${hour!.padStart(2, '0')}:${minute}:${second!.replace(',', '.')}Z`)
  if (zone === 'Z') return utc
  const [hours, minutes] = zone!.slice(1).split(':') as [string, string]
  if (!within(hours, 0, 24)) return outOfRange('time zone offset hour')
  if (!within(minutes, 0, 60)) return outOfRange('time zone offset minute')
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000
  return zone!.startsWith('+') ? utc - offsetMs : utc + offsetMs
}

const goDuration = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/

/** Why a text is no duration, as Go's time.ParseDuration says it; undefined when it is one. */
export function whyNoGoDuration(text: string): string | undefined {
  if (goDuration.test(text)) return undefined
  return `time: ${/^[+-]?[\d.]*\d[\d.]*$/.test(text) ? 'missing unit in' : 'invalid'} duration ${JSON.stringify(text)}`
}

const within = (text: string, least: number, most: number): boolean => Number(text) >= least && Number(text) <= most

const daysOf = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate()
