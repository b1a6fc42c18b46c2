// One object, live or as of a moment.
import { useEffect, useState } from 'react'
import type { AnyObject } from './actions.ts'
import { type ApiFailure, ask, askJson, asOf } from './api.ts'
import { type Kind, listPath, objectPath } from './kinds.ts'
import { linesOf } from './lines.ts'

export interface ObjectState {
  readonly object: AnyObject | undefined
  readonly isGone: boolean
  readonly failure: Error | undefined
}

const retryMs = 2_000

export function useObject(kind: Kind, namespace: string, name: string, at: string | undefined): ObjectState {
  const [state, setState] = useState<ObjectState>({ object: undefined, isGone: false, failure: undefined })
  useEffect(() => {
    const ending = new AbortController()
    void followObject(kind, namespace, name, at, ending.signal, (part) => {
      if (!ending.signal.aborted) setState((before) => ({ ...before, ...part }))
    })
    return () => ending.abort()
  }, [kind, namespace, name, at])
  return state
}

async function followObject(
  kind: Kind,
  namespace: string,
  name: string,
  at: string | undefined,
  signal: AbortSignal,
  tell: (part: Partial<ObjectState>) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const object = await askJson(asOf(at, objectPath(kind, namespace, name)), { signal })
      tell({ object, isGone: false, failure: undefined })
      if (at || !kind.verbs.includes('watch')) return
      const query = new URLSearchParams({ watch: 'true', fieldSelector: `metadata.name=${name}`, resourceVersion: object.metadata.resourceVersion })
      const response = await ask(`${listPath(kind, namespace)}?${query}`, { signal })
      for await (const line of linesOf(response.body!)) {
        const { type, object: next } = JSON.parse(line)
        if (type === 'ERROR') break
        if (type !== 'BOOKMARK') tell({ object: next, isGone: type === 'DELETED' })
      }
    } catch (error) {
      if (signal.aborted) return
      const { code } = error as ApiFailure
      tell(code === 404 ? { failure: error as Error, isGone: true } : { failure: error as Error })
      if (code >= 400 && code < 500 && code !== 429) return
    }
    await new Promise((resolve) => window.setTimeout(resolve, retryMs))
  }
}
