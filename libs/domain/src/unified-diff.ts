// What differs between two values, as people read it: their JSON line by line, each change with three lines around it.

const contextLines = 3
/** Beyond so many lines on both sides of a change nothing is matched any more: all of it is told as changed. */
const matchedLinesMax = 2_000

interface Line {
  readonly mark: ' ' | '-' | '+'
  readonly text: string
}

const linesOf = (value: unknown): string[] => JSON.stringify(value ?? null, null, 1).split('\n')

/** `@@ -3,4 +3,4 @@` and the lines that it stands for, as `diff -u` has them; '' when nothing differs. */
export function unifiedDiff(before: unknown, after: unknown): string {
  const lines = compare(linesOf(before), linesOf(after))
  let text = ''
  for (const [first, end] of hunksOf(lines)) {
    const count = (marks: string, from: number, to: number): number =>
      lines.slice(from, to).filter(({ mark }) => marks.includes(mark)).length
    const range = (marks: string): string => {
      const size = count(marks, first, end)
      const start = count(marks, 0, first) + (size === 0 ? 0 : 1)
      return size === 1 ? `${start}` : `${start},${size}`
    }
    text += `@@ -${range(' -')} +${range(' +')} @@\n`
    for (const { mark, text: line } of lines.slice(first, end)) text += `${mark}${line}\n`
  }
  return text
}

/** Stretches of lines that hold changes and what is around them; those that touch are one. */
function hunksOf(lines: readonly Line[]): [number, number][] {
  const hunks: [number, number][] = []
  for (const [index, { mark }] of lines.entries()) {
    if (mark === ' ') continue
    const [first, end] = [Math.max(0, index - contextLines), Math.min(lines.length, index + 1 + contextLines)]
    const last = hunks.at(-1)
    if (last && first <= last[1]) last[1] = end
    else hunks.push([first, end])
  }
  return hunks
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  const shorter = Math.min(before.length, after.length) - head
  while (tail < shorter && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++
  const same = (texts: readonly string[]): Line[] => texts.map((text) => ({ mark: ' ', text }))
  return [
    ...same(before.slice(0, head)),
    ...changes(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...same(before.slice(before.length - tail)),
  ]
}

/** The shortest way from one to the other, by the longest common subsequence. */
function changes(before: readonly string[], after: readonly string[]): Line[] {
  const removed = (text: string): Line => ({ mark: '-', text })
  const added = (text: string): Line => ({ mark: '+', text })
  if (before.length + after.length > matchedLinesMax) return [...before.map(removed), ...after.map(added)]
  const width = after.length + 1
  const common = new Uint16Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      common[i * width + j] =
        before[i] === after[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!)
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: ' ', text: before[i]! })
      i++
      j++
    } else if (j >= after.length || (i < before.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!))
      lines.push(removed(before[i++]!))
    else lines.push(added(after[j++]!))
  }
  return lines
}
