// Regular expressions that users write, matched in time proportional to the text (RE2): a schema's `pattern`, and
// `matches` in expressions. No expression can hang the process: its size and the work of one request are bounded.
import { createRequire } from 'node:module'
import { lateModule, spendSteps } from './meter.ts'

export interface RegularExpression {
  /** How many instructions it has: a match costs at most this many steps a character. */
  readonly size: number
  /** Whether it matches anywhere in the text. */
  readonly test: (text: string) => boolean
  /** Up to `max` matches from the left, without the groups; -1 for all. */
  readonly findAll: (text: string, max: number) => string[]
}

export interface BadExpression {
  /** As Go's regexp says it: ``error parsing regexp: missing closing ): `(a` ``. */
  readonly problem: string
}

/** Repetitions are written out by the compiler: `(ab{100}){10}` has 1,010 places. About 25 µs each to compile. */
const placesMax = 4_000
const stepsOfPlace = 1_600
/** Of the meter; the expressions' own are shorter. */
const stepsOfMatching = 0.25
const charactersMax = 16_384
const rememberedMax = 4_096

type Library = typeof import('re2js')
/** Loaded with the first expression: a start need not wait for it. */
const loaded = lateModule<Library>(
  () => createRequire(import.meta.url)('re2js') as Library,
  () => import('re2js'),
)

const remembered = new Map<string, RegularExpression | BadExpression>()

/** The same few patterns come for ever; a full memory starts over. */
export const regularExpression = (text: string): RegularExpression | BadExpression => {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const compiled = compile(text)
  if (remembered.size >= rememberedMax) remembered.clear()
  remembered.set(text, compiled)
  return compiled
}

export const isBadExpression = (one: RegularExpression | BadExpression): one is BadExpression => 'problem' in one

const compile = (text: string): RegularExpression | BadExpression => {
  const places = text.length > charactersMax ? charactersMax : placesOf(text)
  if (places > placesMax) return { problem: 'error parsing regexp: expression too large' }
  spendSteps(places * stepsOfPlace)
  const { RE2JS } = loaded()
  try {
    const expression = RE2JS.compile(text)
    const size = expression.programSize()
    return {
      size,
      test: (subject) => {
        spendSteps(size * subject.length * stepsOfMatching)
        return expression.test(subject)
      },
      findAll: (subject, max) => {
        spendSteps(size * subject.length * stepsOfMatching)
        const found: string[] = []
        const matcher = expression.matcher(subject)
        while ((max < 0 || found.length < max) && matcher.find()) found.push(matcher.group() ?? '')
        return found
      },
    }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

const repetition = /^\{(\d{1,4})(?:,(\d{0,4}))?\}/

/** How many places the expression has when its repetitions are written out; a rough count, and quick. */
function placesOf(text: string): number {
  const groups: number[] = []
  let places = 0
  let last = 0
  const add = (count: number): void => {
    places += count
    last = count
  }
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (character === '\\') {
      at++
      add(1)
    } else if (character === '[') {
      at = endOfClass(text, at)
      add(1)
    } else if (character === '(') {
      groups.push(places)
      places = 0
      last = 0
    } else if (character === ')') {
      const within = places
      places = groups.pop() ?? 0
      add(within)
    } else if (character === '{') {
      const times = repetition.exec(text.slice(at, at + 12))
      if (times === null) add(1)
      else {
        places += last * (Math.max(Number(times[1]), Number(times[2] || 0), 1) - 1)
        at += times[0].length - 1
      }
    } else add(1)
    if (places > placesMax) return places
  }
  return places + groups.reduce((sum, one) => sum + one, 0)
}

const endOfClass = (text: string, start: number): number => {
  let at = text[start + 1] === '^' ? start + 2 : start + 1
  if (text[at] === ']') at++
  for (; at < text.length && text[at] !== ']'; at++) if (text[at] === '\\') at++
  return at
}
