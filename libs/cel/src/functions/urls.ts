// Addresses on the web, as Go's net/url reads them.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { EvaluationError } from '../values.ts'

export const urlType = 'kubernetes.URL'

export interface Url {
  readonly scheme: string
  readonly host: string
  readonly hostname: string
  readonly port: string
  readonly escapedPath: string
  readonly query: ReadonlyMap<string, readonly string[]>
}

const problem = (given: string, detail: string): EvaluationError =>
  new EvaluationError(`URL parse error during conversion from string: parse ${goQuote(given)}: ${detail}`)

export const isUrl = (given: string): boolean => {
  try {
    readUrl(given)
    return true
  } catch (error) {
    if (error instanceof EvaluationError) return false
    throw error
  }
}

export const readUrl = (given: string): Url => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are refused
  if (/[\x00-\x1f\x7f]/.test(given)) throw problem(given, 'net/url: invalid control character in URL')
  if (given === '') throw problem(given, 'empty url')
  if (given.startsWith(':')) throw problem(given, 'missing protocol scheme')
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(given)?.[1]
  const rest = scheme === undefined ? given : given.slice(scheme.length + 1)
  if (!rest.startsWith('/') && scheme === undefined && given !== '*') throw problem(given, 'invalid URI for request')
  const [beforeFragment = ''] = rest.split('#')
  const question = beforeFragment.indexOf('?')
  const beforeQuery = question < 0 ? beforeFragment : beforeFragment.slice(0, question)
  const hasAuthority = rest.startsWith('//') && (scheme !== undefined || !rest.startsWith('///'))
  const slash = beforeQuery.indexOf('/', 2)
  const authority = hasAuthority && scheme !== undefined ? beforeQuery.slice(2, slash < 0 ? undefined : slash) : ''
  const host = hostOf(given, authority)
  const path = hasAuthority && scheme !== undefined ? (slash < 0 ? '' : beforeQuery.slice(slash)) : beforeQuery
  const isOpaque = scheme !== undefined && !rest.startsWith('/')
  return {
    scheme: (scheme ?? '').toLowerCase(),
    ...host,
    escapedPath: isOpaque ? '' : escaped(given, path),
    query: queryOf(question < 0 ? '' : beforeFragment.slice(question + 1)),
  }
}

const hostOf = (given: string, authority: string): Pick<Url, 'host' | 'hostname' | 'port'> => {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const bracket = host.startsWith('[') ? host.indexOf(']') : -1
  if (host.startsWith('[') && bracket < 0) throw problem(given, "missing ']' in host")
  const colon = host.indexOf(':', bracket + 1)
  const port = colon < 0 ? '' : host.slice(colon)
  if (!/^(:\d*)?$/.test(port)) throw problem(given, `invalid port ${goQuote(port)} after host`)
  const wrong = /[ "<>\\^`{}|]/.exec(host.slice(bracket + 1))
  if (wrong) throw problem(given, `invalid character ${goQuote(wrong[0])} in host name`)
  const name = colon < 0 ? host : host.slice(0, colon)
  return { host, hostname: name.replace(/^\[(.*)\]$/, '$1'), port: port.slice(1) }
}

const escaped = (given: string, path: string): string => {
  const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(path)
  if (wrong) throw problem(given, `invalid URL escape ${goQuote(wrong[0])}`)
  if (/^[A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]]*$/.test(path)) return path
  return path.replace(/[^A-Za-z0-9\-._~$&+,/:;=@%]/gu, (one) =>
    [...Buffer.from(one)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

const unescaped = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

const queryOf = (text: string): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, string[]>()
  for (const part of text.split('&')) {
    if (part === '' || part.includes(';')) continue
    const equals = part.indexOf('=')
    const name = unescaped(equals < 0 ? part : part.slice(0, equals))
    const value = unescaped(equals < 0 ? '' : part.slice(equals + 1))
    if (name === undefined || value === undefined) continue
    const values = found.get(name)
    if (values) values.push(value)
    else found.set(name, [value])
  }
  return found
}
