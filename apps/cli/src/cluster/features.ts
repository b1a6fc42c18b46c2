// `shiplog features`: what works, what is only stored, what is ignored.
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { type ListedFeature, listFeatures, readmeList } from '@shiplog/domain/features/listing'

export interface FeaturesOptions {
  readonly output: 'text' | 'json' | 'markdown'
}

const columnGap = 3

/** Columns as kubectl has them; the last is as long as it is. */
function table(rows: readonly ListedFeature[]): string {
  const cells = [['NAME', 'STATE', 'NOTE'], ...rows.map(({ name, state, note }) => [name, state, note])]
  const width = (column: number): number => Math.max(...cells.map((row) => row[column]!.length)) + columnGap
  const widths = [width(0), width(1)]
  return cells
    .map(([name, state, note]) => `${name!.padEnd(widths[0]!)}${state!.padEnd(widths[1]!)}${note}`.trimEnd())
    .join('\n')
}

export function printFeatures({ output }: FeaturesOptions): void {
  const rows = listFeatures(builtInRegistry().resources)
  const text =
    output === 'json' ? JSON.stringify(rows, undefined, 2) : output === 'markdown' ? readmeList() : table(rows)
  process.stdout.write(`${text}\n`)
}
