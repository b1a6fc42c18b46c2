// What a part found, and how it is printed: each figure beside the raw primitive that was run with it and beside the
// floor and the aim of the project, because an absolute figure says nothing on a machine nobody knows.

export interface Figure {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly better: 'higher' | 'lower'
  /** The primitive under it, measured in the same run, in the same unit. */
  readonly raw?: number
  /** Least that is acceptable, and what is wanted. */
  readonly floor?: number
  readonly aim?: number
  /** Percentiles, spread, sizes: what one number does not say. */
  readonly note?: string
}

const columns = ['figure', 'measured', 'raw', 'of raw', 'floor', 'aim', '', 'note'] as const

export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** `aim` when the aim is reached, else `floor`, else `below`; nothing when there is nothing to reach. */
export function verdict({ value, better, floor, aim }: Figure): '' | 'aim' | 'floor' | 'below' {
  const reaches = (bound: number): boolean => (better === 'higher' ? value >= bound : value <= bound)
  if (aim === undefined && floor === undefined) return ''
  if (aim !== undefined && reaches(aim)) return 'aim'
  if (floor !== undefined && reaches(floor)) return 'floor'
  return 'below'
}

/** A table for a terminal, one figure a line. */
export function table(figures: readonly Figure[]): string {
  const optional = (value: number | undefined): string => (value === undefined ? '' : formatNumber(value))
  const rows = figures.map((figure) => [
    figure.what,
    `${formatNumber(figure.value)} ${figure.unit}`,
    optional(figure.raw),
    figure.raw === undefined ? '' : `${((figure.value / figure.raw) * 100).toFixed(0)} %`,
    optional(figure.floor),
    optional(figure.aim),
    verdict(figure),
    figure.note ?? '',
  ])
  const lines = [[...columns], ...rows]
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const text = (line: readonly string[]): string =>
    line
      .map((cell, column) =>
        column === 0 || column >= 6 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd()
  return [text(lines[0]!), widths.map((width) => '-'.repeat(width)).join('  '), ...lines.slice(1).map(text)].join('\n')
}
