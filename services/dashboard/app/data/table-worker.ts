// The worker that reads tables for the page: requests and answers are its own, so their parsing never stands in the way of
// a frame.
import { readTable, type TableNews, type TableOptions } from './table-reader.ts'
import { unindented } from './unindented.ts'

export type ToTableWorker =
  | { readonly id: number; readonly open: TableOptions; readonly proof: string }
  | { readonly id: number; readonly close: true }

export interface FromTableWorker {
  readonly id: number
  readonly news: TableNews
}

/** Of a worker, as far as it is used: its types and those of a window cannot both be had. */
interface WorkerSelf {
  onmessage: ((event: { readonly data: ToTableWorker }) => void) | null
  postMessage(message: FromTableWorker): void
}

const here = self as unknown as WorkerSelf
const open = new Map<number, AbortController>()

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

here.onmessage = ({ data }) => {
  const { id } = data
  if ('close' in data) {
    open.get(id)?.abort()
    open.delete(id)
    return
  }
  const ending = new AbortController()
  open.set(id, ending)
  const tell = (news: TableNews): void => {
    if (!ending.signal.aborted) here.postMessage({ id, news })
  }
  const ask = async (path: string, accept: string, signal: AbortSignal): Promise<Response> => {
    const response = await fetch(unindented(path), { credentials: 'same-origin', headers: { accept, 'shiplog-session-proof': data.proof }, signal })
    if (response.ok) return response
    const status = (await response.json().catch(() => ({}))) as object
    throw Object.assign(new Error(`the server answered ${response.status}`), { code: response.status, status })
  }
  void readTable(data.open, { ask, tell, wait, nowMs: () => Date.now() }, ending.signal)
}
