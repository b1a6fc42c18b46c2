// Compares what a page prints with what a command printed. What must vary from run to run is told by the rules below,
// one a line; everything else must be the same, word for word. Pure.

export interface Rule {
  readonly what: string
  readonly pattern: RegExp
  readonly as: string
}

/** Replaced on both sides before they are compared. */
export const rules: readonly Rule[] = [
  { what: 'widths of columns', pattern: /\s{2,}/g, as: '  ' },
  {
    what: 'times, as RFC 3339 and as PostgreSQL write them',
    pattern: /\d{4}-\d\d-\d\d[T ]+\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d)?/g,
    as: '<time>',
  },
  { what: 'ages', pattern: /(?<=\s|\()(\d+[smhd])+(?=\s|\)|$)/g, as: '<age>' },
  { what: 'addresses and ports', pattern: /\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b/g, as: '<address>' },
  { what: 'uids', pattern: /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, as: '<uid>' },
  {
    what: 'the random end of generated names',
    pattern: /(-[0-9bcdf]{8,10})-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g,
    as: '$1-<random>',
  },
  { what: 'where pods of generated names went', pattern: /(<random>.*)\bnode-\d\b/g, as: '$1<node>' },
  {
    what: 'which of equal nodes a decision took',
    pattern: /(?<=(recorded|recomputed): {1,2})node-\d \(\d+\)/g,
    as: '<node>',
  },
  {
    what: 'sequences',
    pattern: /^\s*\d+(?= {2}\S)|(?<=\b(sequence|because of|decided at|recorded at|process) )\d+/g,
    as: '<sequence>',
  },
  {
    what: 'how much there is of what goes on by itself',
    pattern: /\b\d+(?= (records|seals|attempts|identical|events behind)\b)/g,
    as: '<count>',
  },
  { what: 'how long the start took', pattern: /(?<=ready in )\d+\.\d\d(?= s)/g, as: '<seconds>' },
  {
    what: 'versions of what the machine has',
    pattern: /(?<=(nats-server|PostgreSQL) )\d+(\.\d+)*/g,
    as: '<version>',
  },
  {
    what: 'where nats-server was found',
    pattern: /(?<=nats-server found )\((PATH|cache)\)/g,
    as: '(<place>)',
  },
  { what: 'where the checkout is', pattern: /\/[^\s=]+(?=\/\.shiplog\b)/g, as: '<checkout>' },
]

/** Lines that count on neither side. */
export const ignoredLines: readonly Rule[] = [
  { what: 'empty lines', pattern: /^\s*$/, as: '' },
  { what: 'what npm says for itself', pattern: /^(> |npm (warn|notice)\b)/i, as: '' },
  { what: 'a rollout that was still under way', pattern: /^Waiting for deployment /, as: '' },
]

const normalised = (text: string): string =>
  rules.reduce((line, { pattern, as }) => line.replace(pattern, as), text.trimEnd())

/** The lines that count, without what must vary. */
export const linesThatCount = (lines: readonly string[]): string[] =>
  lines.filter((line) => !ignoredLines.some(({ pattern }) => pattern.test(line))).map(normalised)

/**
 * Tells the first difference, or undefined when there is none. On the page `…` stands for the rest of its line; alone on
 * a line it stands for any number of lines.
 */
export function differenceOf(printed: readonly string[], actual: readonly string[]): string | undefined {
  const want = linesThatCount(printed)
  const have = linesThatCount(actual)
  let at = 0
  for (let index = 0; index < want.length; index += 1) {
    const line = want[index]!
    if (line.trim() === '…') {
      const next = want[index + 1]
      if (next === undefined) return undefined
      while (at < have.length && !sameLine(next, have[at]!)) at += 1
      continue
    }
    const found = have[at]
    if (found === undefined) return `the page shows  ${line}\nand nothing like it was printed`
    if (!sameLine(line, found)) return `the page shows  ${line}\nbut printed was ${found}`
    at += 1
  }
  return at < have.length ? `printed was also ${have[at]!}` : undefined
}

const sameLine = (want: string, have: string): boolean =>
  want.endsWith('…') ? have.startsWith(want.slice(0, -1).trimEnd()) : want === have
