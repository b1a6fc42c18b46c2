// Every version of every pod that a watch shows, so that nothing which passes quickly is missed.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { pause } from '../src/context.ts'
import type { HttpClient } from '../src/http.ts'

export interface PodWatch {
  /** The versions of a pod so far, oldest first; `deleted` ends it. */
  versions(key: string): readonly Pod[]
  isGone(key: string): boolean
  /** Waits until the condition gives something. */
  until<T>(what: string, condition: () => T | undefined, timeoutMs?: number): Promise<T>
  close(): void
}

const watchTimeoutMs = 3_600_000
const waitTimeoutMs = 30_000
const lookMs = 3

interface WatchEvent {
  readonly type: string
  readonly object: Pod
}

export function watchPods(http: HttpClient): PodWatch {
  const versions = new Map<string, Pod[]>()
  const gone = new Set<string>()
  let isClosed = false
  let read = 0
  const take = ({ type, object }: WatchEvent): void => {
    const key = `${object.metadata.namespace}/${object.metadata.name}`
    const list = versions.get(key) ?? []
    list.push(object)
    versions.set(key, list)
    if (type === 'DELETED') gone.add(key)
  }
  const until = (body: string): boolean => {
    for (let end = body.indexOf('\n', read); end >= 0; end = body.indexOf('\n', read)) {
      take(JSON.parse(body.slice(read, end)) as WatchEvent)
      read = end + 1
    }
    return isClosed
  }
  let fault: unknown
  http.send({ path: '/api/v1/pods?watch=true', timeoutMs: watchTimeoutMs, until }).then(
    () => {
      if (!isClosed) fault = new Error('the watch of pods ended')
    },
    (error: unknown) => {
      fault = error
    },
  )
  return {
    versions: (key) => versions.get(key) ?? [],
    isGone: (key) => gone.has(key),
    async until(what, condition, timeoutMs = waitTimeoutMs) {
      for (const beganMs = Date.now(); Date.now() - beganMs < timeoutMs; await pause(lookMs)) {
        if (fault) throw fault
        const found = condition()
        if (found !== undefined) return found
      }
      throw new Error(`waited too long for ${what}`)
    },
    close() {
      isClosed = true
    },
  }
}
