// A live table: the server's own Table of a kind, listed page by page and then watched. It is kept outside React, sorted by
// namespace and name; who shows it is told at most every so often, whatever comes in between.
import { ask, askJson } from './api.ts'

export interface Column {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly priority: number
  readonly description: string
}

export interface Row {
  readonly key: string
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly cells: readonly unknown[]
  readonly createdMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly version: string
  readonly isLeaving: boolean
  /** When it last changed while it was looked at; 0 for what was there from the beginning. */
  readonly touchedMs: number
}

export interface TableState {
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  readonly phase: 'loading' | 'live' | 'still' | 'failed'
  readonly failure: Error | undefined
  /** Counts up with every change. */
  readonly revision: number
}

export interface TableStore {
  state(): TableState
  subscribe(listener: () => void): () => void
  close(): void
}

interface TableAnswer {
  readonly columnDefinitions?: readonly Column[] | null
  readonly rows?: readonly { readonly cells: readonly unknown[]; readonly object: { readonly metadata: Metadata } }[] | null
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
}

interface Metadata {
  readonly uid: string
  readonly name: string
  readonly namespace?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Record<string, string>
  readonly resourceVersion: string
}

const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const firstPageRows = 200
const pageRows = 1_000
const tellEveryMs = 150
/** Of a large table every telling costs some milliseconds. */
const tellLargeEveryMs = 500
const largeRows = 5_000
const retryMs = 2_000

export interface TableOptions {
  /** With `/at/…` before it for the past. */
  readonly path: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** False for the past: it does not change. */
  readonly live: boolean
}

export function openTable(options: TableOptions): TableStore {
  const ending = new AbortController()
  const listeners = new Set<() => void>()
  let state: TableState = { columns: [], rows: [], phase: 'loading', failure: undefined, revision: 0 }
  let rows: Row[] = []
  let timer: number | undefined

  const tell = (): void => {
    timer = undefined
    state = { ...state, rows: rows.slice(), revision: state.revision + 1 }
    for (const listener of listeners) listener()
  }
  const soon = (): void => void (timer ??= window.setTimeout(tell, rows.length > largeRows ? tellLargeEveryMs : tellEveryMs))
  const set = (part: Partial<TableState>): void => {
    state = { ...state, ...part }
    window.clearTimeout(timer)
    tell()
  }
  const put = (row: Row): void => {
    const at = placeOf(rows, row.key)
    if (rows[at]?.key === row.key) rows[at] = row
    else rows.splice(at, 0, row)
  }
  const query = (more: Record<string, string>): string => {
    const { labelSelector, fieldSelector } = options
    const query = new URLSearchParams(more)
    if (labelSelector) query.set('labelSelector', labelSelector)
    if (fieldSelector) query.set('fieldSelector', fieldSelector)
    return `${options.path}?${query}`
  }

  async function list(): Promise<string> {
    const fresh: Row[] = []
    let token = ''
    let version = ''
    let columns = state.columns
    do {
      const limit = fresh.length === 0 ? firstPageRows : pageRows
      const page = await askJson<TableAnswer>(query({ limit: String(limit), ...(token ? { continue: token } : {}) }), {
        accept: tableType,
        signal: ending.signal,
      })
      columns = page.columnDefinitions ?? columns
      for (const row of page.rows ?? []) fresh.push(rowOf(row, 0))
      token = page.metadata.continue ?? ''
      version = page.metadata.resourceVersion ?? ''
      // The first page is shown at once; a later list replaces what is there when it is whole.
      if (state.phase === 'loading') {
        rows = fresh
        set({ columns })
      }
    } while (token !== '')
    rows = fresh.sort((a, b) => (a.key < b.key ? -1 : 1))
    set({ columns, phase: options.live ? 'live' : 'still', failure: undefined })
    return version
  }

  async function watch(from: string): Promise<void> {
    const response = await ask(query({ watch: 'true', resourceVersion: from, allowWatchBookmarks: 'true' }), {
      accept: tableType,
      signal: ending.signal,
    })
    for await (const line of linesOf(response.body!)) {
      const { type, object } = JSON.parse(line) as { type: string; object: TableAnswer & { code?: number } }
      if (type === 'ERROR') return
      if (type === 'BOOKMARK') continue
      for (const one of object.rows ?? []) {
        const row = rowOf(one, Date.now())
        if (type !== 'DELETED') put(row)
        else {
          const at = placeOf(rows, row.key)
          if (rows[at]?.key === row.key) rows.splice(at, 1)
        }
      }
      soon()
    }
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        const version = await list()
        if (!options.live) return
        await watch(version)
      } catch (error) {
        if (ending.signal.aborted) return
        set({ phase: 'failed', failure: error as Error })
        const { code = 0 } = error as { code?: number }
        if (code >= 400 && code < 500 && code !== 410 && code !== 429) return
      }
      await new Promise((resolve) => window.setTimeout(resolve, retryMs))
    }
  }

  void run()
  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      ending.abort()
      window.clearTimeout(timer)
    },
  }
}

function rowOf({ cells, object: { metadata } }: NonNullable<TableAnswer['rows']>[number], touchedMs: number): Row {
  const { namespace = '', name } = metadata
  return {
    ...{ key: `${namespace}\u0000${name}`, uid: metadata.uid, namespace, name, cells, touchedMs },
    createdMs: metadata.creationTimestamp ? Date.parse(metadata.creationTimestamp) : 0,
    labels: metadata.labels ?? {},
    version: metadata.resourceVersion,
    isLeaving: metadata.deletionTimestamp !== undefined,
  }
}

/** Where a key is, or would be. */
function placeOf(rows: readonly Row[], key: string): number {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle]!.key < key) low = middle + 1
    else high = middle
  }
  return low
}

export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = parts.pop()!
    for (const line of parts) if (line !== '') yield line
  }
  if (rest !== '') yield rest
}
