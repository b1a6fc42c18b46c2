// What upstream's scheduler decided, as it is kept: a line for each life, messages once.
import { createHash } from 'node:crypto'
import { Life, type Outcome } from './life.ts'

export interface RecordedLife {
  readonly seed: number
  /** Of the script: a life that was changed has to be recorded again. */
  readonly script: string
  readonly outcomes: readonly Outcome[]
}

/** A node's name; the place of a message; or that, whether the pod is left, the nominated node, and victims. */
type Packed = string | number | readonly [message: number, isLeft: 0 | 1, nominated: string, ...victims: string[]]

export interface PackedRecord {
  readonly messages: readonly string[]
  readonly lives: readonly { readonly seed: number; readonly script: string; readonly outcomes: readonly Packed[] }[]
}

export function packRecord(lives: readonly RecordedLife[]): PackedRecord {
  const places = new Map<string, number>()
  const placeOf = (message: string): number => {
    if (!places.has(message)) places.set(message, places.size)
    return places.get(message)!
  }
  const pack = (outcome: Outcome): Packed => {
    if ('node' in outcome) return outcome.node
    const place = placeOf(outcome.message)
    return 'nominated' in outcome ? [place, outcome.isLeft ? 1 : 0, outcome.nominated, ...outcome.victims] : place
  }
  const packed = lives.map(({ outcomes, ...life }) => ({ ...life, outcomes: outcomes.map(pack) }))
  return { messages: [...places.keys()], lives: packed }
}

export function unpackRecord({ messages, lives }: PackedRecord): readonly RecordedLife[] {
  const unpack = (packed: Packed): Outcome => {
    if (typeof packed === 'string') return { node: packed }
    if (typeof packed === 'number') return { message: messages[packed]! }
    const [place, isLeft, nominated, ...victims] = packed
    return { message: messages[place]!, nominated, victims, isLeft: isLeft === 1 }
  }
  return lives.map(({ outcomes, ...life }) => ({ ...life, outcomes: outcomes.map(unpack) }))
}

/** A text or a life a line, so that a change shows where it is. */
export function recordText(lives: readonly RecordedLife[]): string {
  const packed = packRecord(lives)
  const lines = (values: readonly unknown[]): string => values.map((value) => JSON.stringify(value)).join(',\n')
  return `{"messages":[\n${lines(packed.messages)}\n],"lives":[\n${lines(packed.lives)}\n]}\n`
}

/** Tells one script from another, along the outcomes. */
export function scriptDigest(seed: number, outcomes: readonly Outcome[]): string {
  const life = new Life(seed)
  const hash = createHash('sha256').update(JSON.stringify(life.begin()))
  for (const outcome of outcomes) {
    const situation = life.next()
    hash.update(JSON.stringify([situation, life.settle(situation, outcome)]))
  }
  return hash.digest('hex').slice(0, 16)
}
