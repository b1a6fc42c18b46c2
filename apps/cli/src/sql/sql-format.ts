// How rows are printed: aligned columns for people, JSON and CSV for programs. Pages are printed as they come.
import type { ResultColumn, ResultPage } from '@shiplog/read-model/reader'

export type Format = 'table' | 'json' | 'csv'

/** Widest cell of a table; longer ones are cut, with an ellipsis. */
const cellWidthMax = 100

type Row = readonly (string | null)[]

/** Turns pages into text, in order; `end` gives what comes last. */
export interface Printer {
  page(page: ResultPage): string
  end(): string
}

export function createPrinter(format: Format): Printer {
  return format === 'json' ? jsonPrinter() : format === 'csv' ? csvPrinter() : tablePrinter()
}

/** Widths are those of the first page: later rows may stand out, and nothing has to be held back. */
function tablePrinter(): Printer {
  let widths: readonly number[] | undefined
  const line = (cells: readonly string[]): string =>
    `${cells
      .map((cell, index) => cell.padEnd(widths?.[index] ?? 0))
      .join('   ')
      .trimEnd()}\n`
  return {
    page({ columns, rows }) {
      const cells = rows.map((row) => row.map(tableCell))
      const first = widths === undefined
      widths ??= columns.map(({ name }, index) => Math.max(name.length, ...cells.map((row) => row[index]!.length)))
      return `${first && columns.length > 0 ? line(columns.map(({ name }) => name.toUpperCase())) : ''}${cells.map(line).join('')}`
    },
    end: () => '',
  }
}

function tableCell(value: string | null): string {
  const text = (value ?? '').replace(/\p{Cc}/gu, ' ')
  return text.length > cellWidthMax ? `${text.slice(0, cellWidthMax - 1)}…` : text
}

function jsonPrinter(): Printer {
  let rowsBefore = false
  return {
    page({ columns, rows }) {
      return rows
        .map((row) => {
          const text = `${rowsBefore ? ',\n' : '[\n'}  ${jsonRow(columns, row)}`
          rowsBefore = true
          return text
        })
        .join('')
    },
    end: () => (rowsBefore ? '\n]\n' : '[]\n'),
  }
}

function jsonRow(columns: readonly ResultColumn[], row: Row): string {
  const fields = columns.map(({ name, json }, index) => {
    const value = row[index]!
    const written =
      value === null
        ? 'null'
        : json === 'boolean'
          ? String(value === 't')
          : json === 'raw' && !/^-?(NaN|Infinity)$/.test(value)
            ? value
            : JSON.stringify(value)
    return `${JSON.stringify(name)}: ${written}`
  })
  return `{${fields.join(', ')}}`
}

/** RFC 4180, with a header; NULL is an empty field, an empty text is "". */
function csvPrinter(): Printer {
  let headed = false
  const quoted = (text: string): string =>
    /[",\r\n]/.test(text) || text === '' ? `"${text.replaceAll('"', '""')}"` : text
  return {
    page({ columns, rows }) {
      const header = headed ? '' : `${columns.map(({ name }) => quoted(name)).join(',')}\n`
      headed = true
      return `${header}${rows.map((row) => `${row.map((value) => (value === null ? '' : quoted(value))).join(',')}\n`).join('')}`
    },
    end: () => '',
  }
}
