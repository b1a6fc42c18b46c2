// Where in an expression something is wrong, as the reference implementation shows it: the line, and a caret below.

export const sourceError = (expression: string, at: number, message: string): string => {
  const before = expression.slice(0, at).split('\n')
  const line = expression.split('\n')[before.length - 1] ?? ''
  const column = [...before.at(-1)!].length
  return `ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ${'.'.repeat(column)}^`
}
