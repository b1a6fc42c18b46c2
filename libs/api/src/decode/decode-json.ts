// JSON bodies. JSON.parse does the work; what it hides (keys written twice, integers that a double cannot hold, numbers
// that overflow) is found by counting: the text is skimmed once for colons and long numbers, the value once for keys.
// Only when the counts differ is the text scanned properly, to say where.
import { DecodeError, depthMax, tooDeep } from './decode-error.ts'
import { parseExactJson } from '../exact-json.ts'
import { scanJson } from './json-scanner.ts'

export interface DecodedText {
  readonly value: unknown
  /** Sentences such as `duplicate field "spec.replicas"`. */
  readonly duplicates: readonly string[]
  /** Where there are duplicates: the paths of all keys, in the order of the text. */
  readonly keys?: readonly string[]
}

const noDuplicates: readonly string[] = []
/** Upstream reads kind and version before anything else: what is broken is told of that. */
export const interpretation = "couldn't get version/kind; json parse error: "

/** Throws DecodeError with Go's words for what is wrong. */
export const decodeJson = (text: string): DecodedText => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const problem = scanJson(text).error
    throw new DecodeError(interpretation + (problem ?? (error as Error).message), { syntax: true })
  }
  const skimmed = skim(text)
  if (skimmed === keysIn(value, 0)) return { value, duplicates: noDuplicates }
  const scan = scanJson(text)
  if (scan.error) throw new DecodeError(interpretation + scan.error)
  const { duplicates, keys } = scan
  return { value: skimmed < 0 ? wellFormed(parseExactJson(text)) : value, duplicates, ...(duplicates.length > 0 ? { keys } : {}) }
}

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
/** Every integer of 15 digits is exact as a double. */
const exactDigits = 15

/** The number of keys in a valid text; -1 when it holds what deserves a scan: a long number, an escaped surrogate. */
const skim = (text: string): number => {
  let keys = 0
  let digits = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) {
      digits = 0
      // The end of the string is the next quote with an even number of backslashes before it.
      for (;;) {
        i = text.indexOf('"', i + 1)
        let before = i - 1
        while (text.charCodeAt(before) === backslash) before--
        if ((i - before) % 2 === 1) break
      }
    } else if (code === colon) {
      keys++
      digits = 0
    } else if (code >= 0x30 && code <= 0x39) {
      if (++digits > exactDigits) return -1
    } else digits = 0
  }
  return surrogateEscape.test(text) ? -1 : keys
}

const surrogateEscape = /\\u[dD][89a-fA-F]/

/** All keys of a value; -2 when it holds a number that is not finite. Throws when it nests too deep. */
const keysIn = (value: unknown, depth: number): number => {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'number' && !Number.isFinite(value) ? Number.NEGATIVE_INFINITY : 0
  }
  if (depth >= depthMax) throw new DecodeError(`${interpretation}${tooDeep}`)
  let keys = 0
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item !== 'string') keys += keysIn(item, depth + 1)
    return keys
  }
  const object = value as Record<string, unknown>
  for (const key in object) {
    keys++
    const item = object[key]
    if (typeof item !== 'string') keys += keysIn(item, depth + 1)
  }
  return keys
}

/** As Go reads escapes: half a surrogate pair becomes U+FFFD, so that what is stored is valid UTF-8. */
const wellFormed = (value: unknown): unknown => {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  // fromEntries defines keys, so that `__proto__` stays a plain one.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toWellFormed(), wellFormed(item)]))
}
