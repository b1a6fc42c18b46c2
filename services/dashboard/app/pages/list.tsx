// Every object of a kind: live, or as of a moment, or what is different between two.
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { useCluster } from '../cluster-state.ts'
import { asOf } from '../data/api.ts'
import { type Kind, kubectlName, listPath, titleOf } from '../data/kinds.ts'
import { objectHref, setQuery, usePlace } from '../data/place.ts'
import { atMoment, inNamespace, shellLine } from '../data/shell.ts'
import { arranger, compare, type ShownColumn, type ShownRow } from '../data/arrange.ts'
import type { Column } from '../data/table-reader.ts'
import { openTable, type TableState, type TableStore } from '../data/table-store.ts'
import { useMomentMs } from '../data/timeline.ts'
import { BulkActions } from '../parts/bulk-actions.tsx'
import { CopyText } from '../parts/copy.tsx'
import { ColumnsIcon } from '../parts/icons.tsx'
import { Empty, Failure, Loading } from '../parts/messages.tsx'
import { ResourceTable } from '../parts/resource-table.tsx'
import { DeletedList } from '../parts/deleted-list.tsx'

export function ListPage({ kind }: { readonly kind: Kind }) {
  const { namespace, at, versus } = useCluster()
  const { query } = usePlace()
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [wide, setWide] = useState<ReadonlySet<string>>(new Set())
  const [isDeletedShown, setDeletedShown] = useState(false)
  const labels = query.get('l') ?? ''
  const fields = query.get('f') ?? ''
  const filter = query.get('q') ?? ''
  const sort = query.get('sort') ?? ''
  const path = listPath(kind, namespace)
  const selectors = { ...(labels ? { labelSelector: labels } : {}), ...(fields ? { fieldSelector: fields } : {}) }
  const table = useTable({ path: asOf(at, path), live: !at, ...selectors })
  const before = useTable(versus ? { path: asOf(versus, path), live: false, ...selectors } : undefined)
  const momentMs = useMomentMs(at)
  const columns = useMemo(() => columnsOf(table.columns, kind.namespaced && namespace === '', wide), [table.columns, kind, namespace, wide])
  const compared = useMemo(() => compare(table.rows, versus ? before.rows : undefined), [table.rows, before.rows, versus])
  const [arrange] = useState(arranger)
  const rows = useMemo(() => arrange(compared, { filter, sort, columns }), [arrange, compared, filter, sort, columns])
  const title = titleOf(kind)
  return (
    <section className="page list-page">
      <header className="page-head">
        <h1>{title}</h1>
        <Count shown={rows.length} of={compared.length} phase={table.phase} isCompared={versus !== undefined} rows={rows} />
        <span className="spacer" />
        <input
          data-filter
          type="search"
          aria-label="Filter"
          placeholder="filter  /"
          value={filter}
          onChange={(event) => setQuery({ q: event.target.value }, 'replace')}
        />
        <SelectorField label="Labels" placeholder="app=web,tier!=db" value={labels} onSet={(l) => setQuery({ l })} />
        <SelectorField label="Fields" placeholder="status.phase=Running" value={fields} onSet={(f) => setQuery({ f })} />
        <ColumnChooser columns={table.columns} wide={wide} onChange={setWide} />
      </header>
      <div className="sub-head">
        {selected.size > 0 ? (
          <BulkActions kind={kind} rows={rows.map(({ row }) => row).filter((row) => selected.has(row.key))} onDone={() => setSelected(new Set())} />
        ) : (
          <CopyText text={commandOf(kind, { namespace, at, labels, fields })} />
        )}
        <span className="spacer" />
        <button type="button" className={`quiet-button${isDeletedShown ? ' on' : ''}`} aria-expanded={isDeletedShown} onClick={() => setDeletedShown(!isDeletedShown)}>
          Deleted
        </button>
      </div>
      {isDeletedShown && <DeletedList kind={kind} namespace={namespace} />}
      {table.phase === 'failed' && table.rows.length === 0 ? (
        <Failure error={table.failure!} what={`${title} cannot be shown`} />
      ) : table.phase === 'loading' && table.rows.length === 0 ? (
        <Loading what={title} />
      ) : rows.length === 0 ? (
        <Empty>{emptyText(title, namespace, filter || labels || fields, at)}</Empty>
      ) : (
        <ResourceTable
          {...{ columns, rows, selected, sort }}
          onSelect={setSelected}
          onSort={(next) => setQuery({ sort: next }, 'replace')}
          hrefOf={(row, change) => objectHref({ ...kind, ...row }, change === 'removed' ? { at: versus, vs: undefined } : {})}
          nowMs={at ? momentMs : undefined}
          label={title}
        />
      )}
    </section>
  )
}

const emptyText = (title: string, namespace: string, narrowed: string, at: string | undefined): string =>
  narrowed
    ? `No ${title} match. Clear the filter and the selectors to see all.`
    : `There are no ${title}${namespace ? ` in ${namespace}` : ''}${at ? ' at that moment' : ''}. ${namespace ? 'Look in all namespaces, or ' : 'Create one with kubectl, or '}move the time bar.`

const nothing: TableState = { columns: [], rows: [], phase: 'loading', failure: undefined }

export function useTable(options: Parameters<typeof openTable>[0] | undefined): TableState {
  const [store, setStore] = useState<TableStore>()
  const key = JSON.stringify(options)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key tells the options
  useEffect(() => {
    if (!options) return setStore(undefined)
    const opened = openTable(options)
    setStore(opened)
    return () => opened.close()
  }, [key])
  const state = useSyncExternalStore(store?.subscribe ?? noSubscription, () => store?.state() ?? nothing)
  // What was there stays until the next moment has come: nothing flickers while the time bar is dragged.
  const [last, setLast] = useState(nothing)
  useEffect(() => {
    if (state.phase !== 'loading') setLast(state)
  }, [state])
  return state.phase === 'loading' && state.rows.length === 0 && last.phase !== 'failed' ? last : state
}
const noSubscription = () => () => undefined

function columnsOf(columns: readonly Column[], hasNamespace: boolean, wide: ReadonlySet<string>): ShownColumn[] {
  const shown = columns.flatMap((column, index) => (column.priority === 0 || wide.has(column.name) ? [{ title: column.name, index, column }] : []))
  return hasNamespace ? [{ title: 'Namespace', index: -1 }, ...shown] : shown
}

function Count({ shown, of, phase, isCompared, rows }: { shown: number; of: number; phase: TableState['phase']; isCompared: boolean; rows: readonly ShownRow[] }) {
  if (isCompared) {
    const count = (change: string): number => rows.filter((row) => row.change === change).length
    return (
      <span className="count">
        <span className="added-text">+{count('added')}</span> <span className="changed-text">~{count('changed')}</span> <span className="removed-text">−{count('removed')}</span>
      </span>
    )
  }
  return (
    <span className="count" aria-live="polite">
      {shown === of ? of : `${shown} of ${of}`}
      {phase === 'loading' ? ' …' : ''}
      {phase === 'failed' ? <span className="warn-text"> not live</span> : ''}
    </span>
  )
}

function SelectorField({ label, placeholder, value, onSet }: { label: string; placeholder: string; value: string; onSet: (value: string) => void }) {
  return (
    <input
      key={value}
      aria-label={label}
      placeholder={`${label.toLowerCase()}: ${placeholder}`}
      className="selector"
      defaultValue={value}
      onBlur={(event) => event.target.value !== value && onSet(event.target.value.trim())}
      onKeyDown={(event) => event.key === 'Enter' && onSet(event.currentTarget.value.trim())}
    />
  )
}

function ColumnChooser({ columns, wide, onChange }: { columns: readonly Column[]; wide: ReadonlySet<string>; onChange: (wide: ReadonlySet<string>) => void }) {
  const more = columns.filter(({ priority }) => priority > 0)
  if (more.length === 0) return null
  const toggle = (name: string): void => {
    const next = new Set(wide)
    if (!next.delete(name)) next.add(name)
    onChange(next)
  }
  return (
    <details className="menu">
      <summary title="Columns" aria-label="Columns">
        <ColumnsIcon />
      </summary>
      <fieldset>
        <legend className="visually-hidden">More columns</legend>
        {more.map(({ name }) => (
          <label key={name} className="check">
            <input type="checkbox" checked={wide.has(name)} onChange={() => toggle(name)} /> {name}
          </label>
        ))}
      </fieldset>
    </details>
  )
}

function commandOf(kind: Kind, { namespace, at, labels, fields }: { namespace: string; at?: string | undefined; labels?: string; fields?: string }): string {
  const where = !kind.namespaced ? [] : namespace ? inNamespace(namespace) : ['-A']
  const narrowed = [...(labels ? ['-l', labels] : []), ...(fields ? ['--field-selector', fields] : [])]
  return shellLine('kubectl', ...atMoment(at), 'get', kubectlName(kind), ...where, ...narrowed)
}
