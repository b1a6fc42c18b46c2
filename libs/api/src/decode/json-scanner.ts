// A JSON scanner for the rare body that needs one: it tells, in the words of Go's encoding/json, what is wrong with a
// text, and which keys stand twice in one object and where.
import { depthMax, tooDeep } from './decode-error.ts'
import { goQuote } from './go-quote.ts'

export interface JsonScan {
  readonly error: string | undefined
  /** `duplicate field "spec.replicas"`, each once, at most `strictErrorsMax`. */
  readonly duplicates: readonly string[]
  /** The paths of all keys, in the order of the text. */
  readonly keys: readonly string[]
}

/** Upstream stops counting here as well. */
export const strictErrorsMax = 100

class ScanError extends Error {}

export const scanJson = (text: string): JsonScan => {
  const duplicates = new Set<string>()
  const path: string[] = []
  const keys: string[] = []
  let at = 0

  const character = (index: number): string => {
    const char = String.fromCodePoint(text.codePointAt(index)!)
    if (char === "'") return `'\\''`
    if (char === '"') return `'"'`
    return `'${goQuote(char).slice(1, -1)}'`
  }
  const fail = (where: string): never => {
    if (at >= text.length) throw new ScanError('unexpected end of JSON input')
    throw new ScanError(`invalid character ${character(at)} ${where}`)
  }
  const blank = (): void => {
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) at++
      else return
    }
  }
  const word = (expected: string): void => {
    for (let i = 0; i < expected.length; i++, at++) {
      if (text[at] !== expected[i]) fail(`in literal ${expected} (expecting ${quotedLetter(expected[i]!)})`)
    }
  }
  const string = (): string => {
    const start = at++
    let escaped = false
    for (;;) {
      const code = text.charCodeAt(at)
      if (Number.isNaN(code)) fail('')
      if (code === 0x22) break
      if (code < 0x20) fail('in string literal')
      if (code === 0x5c) {
        escaped = true
        at++
        const letter = text[at]
        if (letter === 'u') {
          for (let i = 0; i < 4; i++) {
            at++
            if (!/[0-9a-fA-F]/.test(text[at] ?? '')) fail('in \\u hexadecimal character escape')
          }
        } else if (letter === undefined || !'"\\/bfnrt'.includes(letter)) fail('in string escape code')
      }
      at++
    }
    at++
    return escaped ? (JSON.parse(text.slice(start, at)) as string) : text.slice(start + 1, at - 1)
  }
  const digits = (where: string): void => {
    if (!isDigit(text[at])) fail(where)
    while (isDigit(text[at])) at++
  }
  const number = (): void => {
    const start = at
    if (text[at] === '-') at++
    if (text[at] === '0') at++
    else digits('in numeric literal')
    if (text[at] === '.') {
      at++
      digits('after decimal point in numeric literal')
    }
    if (text[at] === 'e' || text[at] === 'E') {
      at++
      if (text[at] === '+' || text[at] === '-') at++
      digits('in exponent of numeric literal')
    }
    const literal = text.slice(start, at)
    if (!Number.isFinite(Number(literal)))
      throw new ScanError(`json: cannot unmarshal number ${literal} into Go value of type float64`)
  }
  const value = (depth: number): void => {
    if (depth > depthMax) throw new ScanError(tooDeep)
    blank()
    const start = text[at]
    if (start === '{') object(depth)
    else if (start === '[') array(depth)
    else if (start === '"') string()
    else if (start === 't') word('true')
    else if (start === 'f') word('false')
    else if (start === 'n') word('null')
    else if (start === '-' || isDigit(start)) number()
    else fail('looking for beginning of value')
  }
  const object = (depth: number): void => {
    at++
    blank()
    if (text[at] === '}') {
      at++
      return
    }
    const seen = new Set<string>()
    for (;;) {
      blank()
      if (text[at] !== '"') fail('looking for beginning of object key string')
      const key = string()
      path.push(path.length === 0 ? key : `.${key}`)
      const whole = path.join('')
      keys.push(whole)
      if (seen.has(key) && duplicates.size < strictErrorsMax) duplicates.add(`duplicate field ${JSON.stringify(whole)}`)
      seen.add(key)
      blank()
      if (text[at] !== ':') fail('after object key')
      at++
      value(depth + 1)
      path.pop()
      blank()
      const next = text[at]
      if (next === ',') at++
      else if (next === '}') {
        at++
        return
      } else fail('after object key:value pair')
    }
  }
  const array = (depth: number): void => {
    at++
    blank()
    if (text[at] === ']') {
      at++
      return
    }
    for (let index = 0; ; index++) {
      path.push(`[${index}]`)
      value(depth + 1)
      path.pop()
      blank()
      const next = text[at]
      if (next === ',') at++
      else if (next === ']') {
        at++
        return
      } else fail('after array element')
    }
  }

  try {
    value(0)
    blank()
    if (at < text.length) fail('after top-level value')
    return { error: undefined, duplicates: [...duplicates], keys }
  } catch (error) {
    if (!(error instanceof ScanError)) throw error
    return { error: error.message, duplicates: [...duplicates], keys }
  }
}

const isDigit = (char: string | undefined): boolean => char !== undefined && char >= '0' && char <= '9'

const quotedLetter = (char: string): string => `'${char}'`

