// A table of many rows, of which only those are drawn that can be seen. Columns and cells are the server's.
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, memo, useCallback, useEffect, useMemo, useRef } from 'react'
import { type Change, type ShownColumn, type ShownRow, textOf } from '../data/arrange.ts'
import type { Column, Row } from '../data/table-reader.ts'
import { Link } from './link.tsx'
import { Moment } from './moment.tsx'

interface Props {
  readonly columns: readonly ShownColumn[]
  readonly rows: readonly ShownRow[]
  readonly selected: ReadonlySet<string>
  readonly onSelect: (keys: ReadonlySet<string>) => void
  readonly sort: string
  readonly onSort: (sort: string) => void
  readonly hrefOf: (row: Row, change: Change | undefined) => string
  readonly nowMs: number | undefined
  readonly label: string
}

const rowHeight = 30
const checkWidth = 34
const characterWidth = 7.1
/** Names stand in a heavier weight. */
const nameCharacterWidth = 7.9
const sampleRows = 150
const nameCharactersMax = 62
const cellCharactersMax = 40
const nameWidthMin = 200
const cellPadding = 34
const dotWidth = 14
const flashMs = 1_600
const estimateSize = (): number => rowHeight

export function ResourceTable({ columns, rows, selected, onSelect, sort, onSort, hrefOf, nowMs, label }: Props) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize, overscan: 12, useFlushSync: false })
  const widths = useMemo(() => widthsOf(columns, rows), [columns, rows])
  useEffect(() => {
    scroller.current?.style.setProperty('--columns', `${widths.map((width) => `${width}px`).join(' ')} minmax(0, 1fr)`)
    scroller.current?.style.setProperty('--table-width', `${widths.reduce((sum, width) => sum + width, 0)}px`)
  }, [widths])
  // The same function all along: rows that did not change are not drawn again.
  const choice = useRef({ selected, onSelect })
  choice.current = { selected, onSelect }
  const toggle = useCallback((key: string): void => {
    const next = new Set(choice.current.selected)
    if (!next.delete(key)) next.add(key)
    choice.current.onSelect(next)
  }, [])
  const isAll = selected.size > 0 && selected.size >= rows.length && rows.every(({ row }) => selected.has(row.key))
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
    <div className="table" ref={scroller} role="table" tabIndex={0} aria-label={label} aria-rowcount={rows.length + 1} aria-colcount={columns.length + 1} onKeyDown={moveFocus}>
      <div role="rowgroup" className="table-head">
        <div role="row" className="table-row" aria-rowindex={1}>
          <span role="columnheader" className="check-cell">
            <input type="checkbox" aria-label="Select all rows" checked={isAll} onChange={() => onSelect(isAll ? new Set() : new Set(rows.map(({ row }) => row.key)))} />
          </span>
          {columns.map(({ title, index, column }) => {
            const direction = sort === String(index) ? 'ascending' : sort === `~${index}` ? 'descending' : undefined
            return (
              <span role="columnheader" key={index} aria-sort={direction ?? 'none'} title={column?.description}>
                <button type="button" onClick={() => onSort(direction === 'ascending' ? `~${index}` : direction === 'descending' ? '' : String(index))}>
                  {title}
                  <span className="arrow" aria-hidden="true">{direction === 'ascending' ? '↑' : direction === 'descending' ? '↓' : ''}</span>
                </button>
              </span>
            )
          })}
        </div>
      </div>
      <div role="rowgroup" className="table-body" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index: at, start }) => {
          const { row, change } = rows[at]!
          return (
            <TableRow
              key={row.key}
              {...{ row, change, columns, nowMs, start, at }}
              href={hrefOf(row, change)}
              isSelected={selected.has(row.key)}
              onToggle={toggle}
            />
          )
        })}
      </div>
    </div>
  )
}

interface RowProps extends Pick<Props, 'columns' | 'nowMs'> {
  readonly row: Row
  readonly change: Change | undefined
  readonly start: number
  readonly at: number
  readonly href: string
  readonly isSelected: boolean
  readonly onToggle: (key: string) => void
}

const TableRow = memo(function TableRow({ row, change, columns, nowMs, start, at, href, isSelected, onToggle }: RowProps) {
  const isFresh = row.touchedMs > 0 && Date.now() - row.touchedMs < flashMs
  const classes = ['table-row', change, isFresh ? 'fresh' : '', isSelected ? 'selected' : '', row.isLeaving ? 'leaving' : '']
  return (
    <div role="row" className={classes.filter(Boolean).join(' ')} style={{ transform: `translateY(${start}px)` }} aria-rowindex={at + 2}>
      <span role="cell" className="check-cell">
        <input type="checkbox" aria-label={`Select ${row.name}`} checked={isSelected} onChange={() => onToggle(row.key)} />
      </span>
      {columns.map(({ index, title, column }) => (
        <span role="cell" key={index} className={cellClass(column, index)}>
          {index === -1 ? (
            row.namespace
          ) : column?.name === 'Name' ? (
            <Link href={href} title={row.name}>{row.name}</Link>
          ) : title === 'Age' && row.createdMs > 0 ? (
            <Moment ms={row.createdMs} now={nowMs} />
          ) : (
            <Cell value={row.cells[index]} title={title} />
          )}
        </span>
      ))}
    </div>
  )
})

const cellClass = (column: Column | undefined, index: number): string | undefined =>
  index === -1 ? 'namespace-cell' : column?.type === 'integer' || column?.type === 'number' ? 'number' : undefined

const good = /^(Running|Ready|Active|Bound|Available|Completed|Succeeded|True|Normal|Complete|Approved,Issued|Established)$/
const warning = /^(Pending|ContainerCreating|PodInitializing|Terminating|Released|Warning|Init:.*|Suspended|SchedulingGated|Ready,SchedulingDisabled|Unknown|<pending>)$/
const bad = /^(.*Error.*|.*BackOff.*|Failed|NotReady.*|Lost|Evicted|OOMKilled|ImagePull.*|ErrImage.*|Denied|NodeLost)$/
const calm = /^(Completed|Succeeded|Complete|Normal)$/

function Cell({ value, title }: { readonly value: unknown; readonly title: string }) {
  const text = textOf(value)
  if (/^(Status|Phase|Type)$/.test(title) && text !== '') {
    const tone = bad.test(text) ? 'bad' : warning.test(text) ? 'warn' : good.test(text) ? (calm.test(text) ? 'calm' : 'good') : ''
    return <span className={`status ${tone}`} title={text}>{text}</span>
  }
  if (title === 'Ready' && /^\d+\/\d+$/.test(text)) {
    const [ready, of] = text.split('/')
    return <span className={ready === of ? undefined : 'warn-text'}>{text}</span>
  }
  if (title === 'Restarts' && !/^0\b/.test(text)) return <span className="warn-text" title={text}>{text}</span>
  return <span title={text.length > 18 ? text : undefined} className={text === '<none>' ? 'quiet' : undefined}>{text}</span>
}

function moveFocus(event: KeyboardEvent<HTMLDivElement>): void {
  const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key]
  if (!by || (event.target as HTMLElement).tagName === 'INPUT') return
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('.table-body a')]
  const at = links.indexOf(document.activeElement as HTMLElement)
  const next = links[at < 0 ? 0 : at + by]
  if (!next) return
  event.preventDefault()
  next.focus()
}

/** As wide as what stands in the columns, and no wider; names take what is left. */
function widthsOf(columns: readonly ShownColumn[], rows: readonly ShownRow[]): readonly number[] {
  const sample = rows.slice(0, sampleRows)
  const widths = columns.map(({ title, index, column }) => {
    const longest = Math.max(
      title.length + 2,
      ...sample.map(({ row }) => (index === -1 ? row.namespace : column?.name === 'Name' ? row.name : title === 'Age' ? '6d23h' : textOf(row.cells[index])).length),
    )
    const isName = column?.name === 'Name'
    const dot = /^(Status|Phase|Type)$/.test(title) ? dotWidth : 0
    const width = Math.round(Math.min(isName ? nameCharactersMax : cellCharactersMax, longest) * (isName ? nameCharacterWidth : characterWidth)) + cellPadding + dot
    return isName ? Math.max(width, nameWidthMin) : width
  })
  return [checkWidth, ...widths]
}
