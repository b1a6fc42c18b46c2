// What PostgreSQL says about a statement, as psql shows it: the message, the line with a caret under the place, and what
// it says besides.

interface ServerError {
  readonly message?: string
  readonly detail?: string
  readonly hint?: string
  readonly code?: string
  /** In the statement, by characters, from 1. */
  readonly position?: string
}

/** Longest part of a line that is shown on either side of the place. */
const lineWidthMax = 160

export function explainSqlError(error: unknown, query: string): unknown {
  const { message, detail, hint, code, position } = error as ServerError
  if (code === 'ECONNREFUSED') return new Error('PostgreSQL does not answer: is the cluster up?')
  const lines = [
    message,
    ...(position === undefined ? [] : placeOf(query, Number(position))),
    ...(detail ? [`DETAIL: ${detail}`] : []),
    ...(hint ? [`HINT: ${hint}`] : []),
  ]
  return lines.length === 1 ? error : new Error(lines.join('\n'), { cause: error })
}

/** The line of the place and a caret under it. PostgreSQL counts characters, JavaScript halves of some of them. */
export function placeOf(query: string, position: number): string[] {
  const characters = [...query]
  if (!(position >= 1) || position > characters.length + 1) return []
  const before = characters.slice(0, position - 1).join('')
  const lineNumber = before.split('\n').length
  const column = [...before.slice(before.lastIndexOf('\n') + 1)].length
  const line = [...(query.split('\n')[lineNumber - 1] ?? '')]
  const from = Math.max(0, column - lineWidthMax / 2)
  const shown = line.slice(from, from + lineWidthMax).join('').replaceAll('\t', ' ')
  const head = `LINE ${lineNumber}: ${from > 0 ? '...' : ''}`
  return [`${head}${shown}`, `${' '.repeat(head.length + column - from)}^`]
}
