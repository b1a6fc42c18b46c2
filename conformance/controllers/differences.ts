// Compares what controllers did with what upstream's did, and knows which differences are meant.
import { inOrder, type Picture } from './picture.ts'
import type { Scenario, Step } from './scenario.ts'

/** What upstream did. The steps stand beside it: a scenario that was changed has to be recorded again. */
export interface Record {
  readonly steps: readonly Step[]
  readonly pictures: readonly Picture[]
}

export interface Meant {
  readonly why: string
  /** What in a text of upstream's or ours is written otherwise before the two are compared. */
  readonly pattern: RegExp
  readonly becomes: string
}

/** Differences from upstream that are meant. */
export const meant: readonly Meant[] = [
  {
    why: 'upstream says either, as it happens to see the old counts of a new revision or not; here they are always seen',
    pattern: /"message":"Created new replica set \\"([^"\\]+)\\"","reason":"NewReplicaSetCreated"/g,
    becomes: '"message":"ReplicaSet \\"$1\\" is progressing.","reason":"ReplicaSetUpdated"',
  },
  {
    why: 'which of a DaemonSet’s pods goes first is chance, upstream',
    pattern: /by-hand-\d/g,
    becomes: 'by-hand-*',
  },
]

const normalized = (text: string): string => {
  const plain = meant.reduce((rest, { pattern, becomes }) => rest.replace(pattern, becomes), text)
  const space = plain.indexOf(' ')
  return isObject(plain) ? `${plain.slice(0, space)} ${inOrder(plain.slice(space + 1))}` : plain
}

/** One line for each thing that only one of the two did. Empty when both did the same. */
export function differencesOf(scenario: Scenario, recorded: Record | undefined, pictures: readonly Picture[]): string[] {
  if (!recorded) return ['upstream was never recorded: npm run conformance:controllers -- upstream']
  if (JSON.stringify(recorded.steps) !== JSON.stringify(scenario.steps))
    return ['the scenario was changed since upstream was recorded: npm run conformance:controllers -- upstream']
  return recorded.pictures.flatMap((theirs, index) => {
    const ours = pictures[index] ?? {}
    const resources = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])]
    const lines = resources.flatMap((resource) => differencesIn(resource, theirs[resource] ?? [], ours[resource] ?? []))
    const step = JSON.stringify(scenario.steps[index]).slice(0, stepCharactersMax)
    return lines.length === 0 ? [] : [`after step ${index + 1}, ${step}`, ...lines]
  })
}

const stepCharactersMax = 120

function differencesIn(resource: string, theirs: readonly string[], ours: readonly string[]): string[] {
  const [a, b] = [merged(theirs.map(normalized)), merged(ours.map(normalized))]
  // Where many Events were gathered into one, nobody knows what each of them said.
  const gathered = [...a, ...b].filter((text) => text.startsWith('combined ')).map((text) => text.replace('combined ', ''))
  const isKnown = (text: string): boolean =>
    !text.startsWith('combined ') && !(resource === 'events' && gathered.some((start) => text.startsWith(`${start} `)))
  const gone = a.filter((text) => !b.includes(text) && isKnown(text))
  const come = b.filter((text) => !a.includes(text) && isKnown(text))
  // Of two objects of one name the fields are told that differ.
  const lines = gone.flatMap((text) => {
    const twin = come.findIndex((other) => isObject(text) && isObject(other) && nameIn(other) === nameIn(text))
    if (twin < 0) return [`${resource}: upstream only: ${text}`]
    const [other] = come.splice(twin, 1)
    return fieldsOf(text, other!).map((line) => `${resource} ${nameIn(text)}: ${line}`)
  })
  return [...lines, ...come.map((text) => `${resource}: here only: ${text}`)]
}

/** What has become alike is counted together. */
function merged(texts: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const text of texts.filter(isObject)) {
    const space = text.indexOf(' ')
    const object = text.slice(space + 1)
    counts.set(object, (counts.get(object) ?? 0) + Number(text.slice(0, space)))
  }
  return [...[...counts].map(([object, count]) => `${count} ${object}`), ...texts.filter((text) => !isObject(text))]
}

const isObject = (text: string): boolean => /^\d+ \{/.test(text)
const nameIn = (text: string): string | undefined =>
  (JSON.parse(text.slice(text.indexOf(' ') + 1)) as { readonly metadata: { readonly name: string } }).metadata.name

function fieldsOf(theirs: string, ours: string): string[] {
  const [countA, countB] = [theirs, ours].map((text) => text.slice(0, text.indexOf(' ')))
  const [a, b] = [theirs, ours].map((text) => JSON.parse(text.slice(text.indexOf(' ') + 1)) as unknown)
  const lines = countA === countB ? [] : [`upstream has ${countA}, here are ${countB}`]
  walk('', a, b, lines)
  return lines
}

function walk(path: string, a: unknown, b: unknown, lines: string[]): void {
  if (JSON.stringify(a) === JSON.stringify(b)) return
  const isBranch = (value: unknown): value is object => typeof value === 'object' && value !== null
  if (!isBranch(a) || !isBranch(b)) {
    lines.push(`${path}: upstream ${JSON.stringify(a)}, here ${JSON.stringify(b)}`)
    return
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
    walk(`${path}.${key}`, (a as { [key: string]: unknown })[key], (b as { [key: string]: unknown })[key], lines)
}
