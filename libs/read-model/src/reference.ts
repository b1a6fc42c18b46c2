// The reference of schema v1 as Markdown, from the same description that makes the views: docs/sql-reference.md is this
// text, and a test holds it to that.
import type { Contract } from './contract.ts'

const shortTypes: Readonly<Record<string, string>> = { 'double precision': 'float8' }

export function referenceOf(contract: Contract): string {
  const lines = [
    '# Schema v1',
    '',
    'Generated from the description of the kinds (`libs/read-model/src/reference.ts`); [sql.md](sql.md) tells how to use it.',
    '',
    'Columns of all views of a kind: `object`, `payload`, `sha256`, `unreadable`. Views `…_history` have the columns of their kind and,',
    'besides, these:',
    '',
  ]
  const history = contract.views.find(({ name }) => name === 'history')!
  const objects = contract.views.find(({ name }) => name === 'objects')!
  const general = new Set(objects.columns.map(({ name }) => name))
  for (const column of history.columns) {
    if (!general.has(column.name)) lines.push(`- \`${column.name}\` ${column.type}: ${column.comment}`)
  }
  lines.push('', '## Views', '')
  const common = new Set(['object', 'payload', 'sha256', 'unreadable'])
  for (const view of contract.views) {
    if (view.name.endsWith('_history')) continue
    const columns = view.columns
      .filter(({ name }) => !common.has(name))
      .map(({ name, type }) => `\`${name}\` ${shortTypes[type] ?? type}`)
    lines.push(`### v1.${view.name}`, '', escaped(view.comment), '', `${columns.join(', ')}.`, '')
  }
  lines.push('## Functions', '')
  for (const { name, arguments: takes, returns, comment } of contract.functions) {
    lines.push(`- \`v1.${name}(${takes})\` → \`${returns.replaceAll('"', '')}\`: ${escaped(comment)}`)
  }
  return `${lines.join('\n')}\n`
}

const escaped = (text: string): string => text.replaceAll('<', '&lt;')
