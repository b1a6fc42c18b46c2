// Reads the server's own Table of a kind: page by page, then as a watch. It runs in a worker, so that the page has no answers
// to parse, and says what it read in pieces that the page takes over in a moment each.
import { linesOf } from './lines.ts'

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
  readonly version: string
  readonly isLeaving: boolean
  /** When it last changed while it was looked at; 0 for what was there from the beginning. */
  readonly touchedMs: number
}

export interface TableOptions {
  /** With `/at/…` before it for the past. */
  readonly path: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** False for the past: it does not change. */
  readonly live: boolean
}

/** What happens to a row: it is as told, or gone. */
export type RowChange = { readonly put: Row } | { readonly gone: string }

export type TableNews =
  /** Some rows of a list that has begun, in the server's order. */
  | { readonly is: 'rows'; readonly columns: readonly Column[]; readonly rows: readonly Row[] }
  /** The list is whole: what it did not tell is not there. */
  | { readonly is: 'whole' }
  | { readonly is: 'changes'; readonly changes: readonly RowChange[] }
  /** A watch stands. */
  | { readonly is: 'live' }
  | { readonly is: 'failed'; readonly code: number; readonly status: object }

export interface ReaderDeps {
  /** As fetch does; throws what has a `code` and a `status` for an answer that refuses. */
  readonly ask: (path: string, accept: string, signal: AbortSignal) => Promise<Response>
  readonly tell: (news: TableNews) => void
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  readonly nowMs: () => number
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
  readonly resourceVersion: string
}

const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io'
/** The first page is small, because somebody waits for it. */
const firstPageRows = 200
const pageRows = 4_000
/** Rows that the page takes over at once. */
const pieceRows = 500
/** Changes are told together, this often at most. */
const tellEveryMs = 100
const retryMs = 2_000
const retryMsMax = 30_000

/** Resolves when there is nothing more to come: the past was read, the signal aborted, or the server refuses for good. */
export async function readTable(options: TableOptions, deps: ReaderDeps, signal: AbortSignal): Promise<void> {
  let version: string | undefined
  let failures = 0
  while (!signal.aborted) {
    try {
      version ??= await list(options, deps, signal)
      if (!options.live) return
      // A watch that ended goes on where it was; only when the server knows that moment no more, all is read again.
      const watching = watch(options, version, deps, signal)
      for (;;) {
        const { value, done } = await watching.next()
        if (done) break
        failures = 0
        version = value
      }
    } catch (error) {
      if (signal.aborted) return
      const { code = 0, status = {}, message } = error as { code?: number; status?: object; message?: string }
      if (code === 410) version = undefined
      else {
        deps.tell({ is: 'failed', code, status: code === 0 ? { message } : status })
        if (code >= 400 && code < 500 && code !== 429) return
      }
      failures++
    }
    await deps.wait(Math.min(retryMsMax, retryMs * 2 ** Math.max(0, failures - 1)), signal)
  }
}

function query({ path, labelSelector, fieldSelector }: TableOptions, more: Record<string, string>): string {
  const query = new URLSearchParams(more)
  if (labelSelector) query.set('labelSelector', labelSelector)
  if (fieldSelector) query.set('fieldSelector', fieldSelector)
  return `${path}?${query}`
}

async function list(options: TableOptions, { ask, tell }: ReaderDeps, signal: AbortSignal): Promise<string> {
  let token = ''
  let limit = firstPageRows
  let columns: readonly Column[] = []
  for (;;) {
    const response = await ask(query(options, { limit: String(limit), ...(token ? { continue: token } : {}) }), tableType, signal)
    const page = (await response.json()) as TableAnswer
    columns = page.columnDefinitions ?? columns
    const rows = page.rows ?? []
    for (let at = 0; at === 0 || at < rows.length; at += pieceRows)
      tell({ is: 'rows', columns, rows: rows.slice(at, at + pieceRows).map((row) => rowOf(row, 0)) })
    token = page.metadata.continue ?? ''
    limit = pageRows
    if (token !== '') continue
    tell({ is: 'whole' })
    return page.metadata.resourceVersion ?? ''
  }
}

/** Yields each version that it has come to. Throws 410 when the server wants all to be listed again. */
async function* watch(options: TableOptions, from: string, { ask, tell, nowMs }: ReaderDeps, signal: AbortSignal): AsyncGenerator<string> {
  const response = await ask(query(options, { watch: 'true', resourceVersion: from, allowWatchBookmarks: 'true' }), tableType, signal)
  tell({ is: 'live' })
  let changes: RowChange[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = (): void => {
    timer = undefined
    if (changes.length > 0 && !signal.aborted) tell({ is: 'changes', changes })
    changes = []
  }
  try {
    for await (const line of linesOf(response.body!)) {
      const { type, object } = JSON.parse(line) as { type: string; object: TableAnswer & { code?: number } }
      if (type === 'ERROR') throw Object.assign(new Error('the watch ended'), { code: object.code ?? 410, status: object })
      for (const one of object.rows ?? []) {
        if (type !== 'BOOKMARK') changes.push(type === 'DELETED' ? { gone: keyOf(one.object.metadata) } : { put: rowOf(one, nowMs()) })
        yield one.object.metadata.resourceVersion
      }
      if (changes.length >= pieceRows) flush()
      else if (changes.length > 0) timer ??= setTimeout(flush, tellEveryMs)
    }
  } finally {
    clearTimeout(timer)
    flush()
  }
}

const keyOf = ({ namespace = '', name }: Metadata): string => `${namespace}\u0000${name}`

function rowOf({ cells, object: { metadata } }: NonNullable<TableAnswer['rows']>[number], touchedMs: number): Row {
  const { namespace = '', name } = metadata
  return {
    ...{ key: keyOf(metadata), uid: metadata.uid, namespace, name, cells, touchedMs },
    createdMs: metadata.creationTimestamp ? Date.parse(metadata.creationTimestamp) : 0,
    version: metadata.resourceVersion,
    isLeaving: metadata.deletionTimestamp !== undefined,
  }
}
