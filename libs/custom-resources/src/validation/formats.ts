// Formats of strings that the API server checks (k8s.io/kube-openapi/pkg/validation/strfmt, apiextensions' list of
// supported ones). Others are kept in the schema and mean nothing.
import { parseIp } from '@shiplog/api/ip-address'
import { isEmailAddress } from './email-address.ts'

type Check = (text: string) => boolean

const matches =
  (form: RegExp): Check =>
  (text) =>
    form.test(text)

const hostnameForm =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u
const hostnameBytesMax = 255
const labelBytesMax = 63
const bytesOf = (text: string): number => Buffer.byteLength(text)

const isHostname: Check = (text) =>
  bytesOf(text) <= hostnameBytesMax &&
  text.split('.').every((label) => bytesOf(label) <= labelBytesMax) &&
  hostnameForm.test(text)

/** Leading zeros are let through, as before Go 1.17. */
const withoutLeadingZeros = (text: string): string => text.replace(/(^|[.:])0+(?=\d)/g, (_, before: string) => before)
const ipOf = (text: string) => parseIp(text.includes('.') ? withoutLeadingZeros(text) : text)

const isCidr: Check = (text) => {
  const [address = '', bits = '', ...more] = text.split('/')
  const ip = ipOf(address)
  return more.length === 0 && ip !== undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= (ip.family === 'IPv4' ? 32 : 128)
}

/** EUI-48, EUI-64 and the 20 octets of IP over InfiniBand, with colons, dashes or dots. */
const macForms = [5, 7, 19].flatMap((more) => [
  new RegExp(`^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){${more}}$`),
  new RegExp(`^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){${more}}$`),
  new RegExp(`^[0-9a-fA-F]{4}(\\.[0-9a-fA-F]{4}){${(more - 1) / 2}}$`),
])

const digitsIn = (text: string): number[] => [...text].map((digit) => digit.charCodeAt(0) - 48)

const isIsbn10: Check = (text) => {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^(?:[0-9]{9}X|[0-9]{10})$/.test(digits)) return false
  const last = digits[9] === 'X' ? 10 : Number(digits[9])
  return (digitsIn(digits.slice(0, 9)).reduce((sum, digit, index) => sum + (index + 1) * digit, 0) + 10 * last) % 11 === 0
}

const isIsbn13: Check = (text) => {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^[0-9]{13}$/.test(digits)) return false
  const sum = digitsIn(digits.slice(0, 12)).reduce((all, digit, index) => all + digit * (index % 2 === 0 ? 1 : 3), 0)
  return Number(digits[12]) === (10 - (sum % 10)) % 10
}

const cardForm =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/

const isCreditCard: Check = (text) => {
  const digits = text.replace(/[^0-9]+/g, '')
  if (!cardForm.test(digits)) return false
  const sum = digitsIn(digits)
    .reverse()
    .reduce((all, digit, index) => all + (index % 2 === 0 ? digit : digit * 2 > 9 ? digit * 2 - 9 : digit * 2), 0)
  return sum % 10 === 0
}

const daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const isDate: Check = (text) => {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (!parts) return false
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])]
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth[month - 1]! && !(month === 2 && day === 29 && !leap)
}

const timeForm = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/

const isDateTime: Check = (text) => {
  const [date = '', time] = text.toLowerCase().split('t')
  const parts = time === undefined ? null : timeForm.exec(time)
  return parts !== null && isDate(date) && parts[1]! <= '23' && parts[2]! <= '59' && parts[3]! <= '59'
}

const goDuration = /^[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/
/** Scala's words for units, which are taken anywhere in the text. */
const unitWords = ['ns', 'nano', 'us', 'µs', 'micro', 'ms', 'milli', 's', 'sec', 'm', 'min', 'h', 'hr', 'hour', 'd', 'day', 'w', 'wk', 'week']
const unitBeginnings = ['nano', 'micro', 'milli', 'sec', 'min', 'hour', 'day', 'week']

const isDuration: Check = (text) => {
  if (goDuration.test(text)) return true
  for (const [, unit = ''] of text.matchAll(/(?<!\d)\d+(?!\d)\s*([A-Za-zµ]+)/g)) {
    const word = unit.toLowerCase()
    if (unitWords.includes(word) || unitBeginnings.some((beginning) => word.startsWith(beginning))) return true
  }
  return false
}

/** As Go's url.ParseRequestURI: a path, or a scheme and what follows; no spaces and control characters. */
const isRequestUri: Check = (text) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are refused
  if (text === '' || /[\x00-\x1f\x7f]/.test(text)) return false
  if (text === '*') return true
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)
  if (/^:/.test(text)) return false
  const rest = scheme ? text.slice(scheme[0].length) : text
  const [beforeQuery = ''] = rest.split('?')
  if (!rest.startsWith('/')) return scheme !== null && validEscapes(beforeQuery)
  const authority = /^\/\/(?!\/)([^/]*)/.exec(beforeQuery)
  if ((scheme || !text.startsWith('///')) && authority && scheme && !isAuthority(authority[1]!)) return false
  return validEscapes(authority && scheme ? beforeQuery.slice(authority[0].length) : beforeQuery)
}

const validEscapes = (text: string): boolean => !/%(?![0-9a-fA-F]{2})/.test(text)

const isAuthority = (text: string): boolean => {
  const at = text.lastIndexOf('@')
  const user = at < 0 ? '' : text.slice(0, at)
  const host = text.slice(at + 1)
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user) || !validEscapes(user)) return false
  if (host.startsWith('[')) return /^\[[^\]]+\](:\d*)?$/.test(host)
  const colon = host.lastIndexOf(':')
  if (colon >= 0 && !/^:\d*$/.test(host.slice(colon))) return false
  return !/[ "<>\\^`{}|%]/.test(host.replace(/%[0-9a-fA-F]{2}/g, ''))
}

const always: Check = () => true

/** By name without dashes: `date-time` and `datetime` are one. */
const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['bsonobjectid', matches(/^[0-9a-fA-F]{24}$/)],
  ['uri', isRequestUri],
  ['email', isEmailAddress],
  ['hostname', isHostname],
  ['ipv4', (text) => text.includes('.') && ipOf(text) !== undefined],
  ['ipv6', (text) => text.includes(':') && parseIp(text) !== undefined],
  ['cidr', isCidr],
  ['mac', (text) => macForms.some((form) => form.test(text))],
  ['uuid', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i)],
  ['uuid3', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i)],
  ['uuid4', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i)],
  ['uuid5', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i)],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matches(/^\d{3}[- ]\d{2}[- ]\d{4}$/)],
  ['hexcolor', matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ['rgbcolor', matches(/^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$/)],
  ['byte', matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/)],
  ['password', always],
  ['date', isDate],
  ['duration', isDuration],
  ['datetime', isDateTime],
  ['k8sshortname', (text) => text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)],
  ['k8slongname', (text) => text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)],
])

const numberFormats: Readonly<Record<string, readonly string[]>> = {
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
}

const nameOf = (format: string): string => format.replaceAll('-', '')

/** The format as far as it means anything for the type: an unknown one is as if it were not there. */
export const supportedFormat = (type: string, format: string): string => {
  if (type === '' || type === 'string') return checks.has(nameOf(format)) ? format : ''
  return numberFormats[type]?.includes(format) ? format : ''
}

/** The check of a format, where it is one of strings. */
export const formatCheck = (format: string): Check | undefined => checks.get(nameOf(format))
