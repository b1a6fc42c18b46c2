// What is said where there is nothing to show: a sentence that says what to do.
import type { ReactNode } from 'react'
import { ApiFailure } from '../data/api.ts'
import { setQuery } from '../data/place.ts'

export const Loading = ({ what }: { readonly what: string }) => (
  <p className="quiet" role="status">
    Reading {what} …
  </p>
)

export const Empty = ({ children }: { readonly children: ReactNode }) => <p className="empty">{children}</p>

export function Failure({ error, what }: { readonly error: Error; readonly what: string }) {
  const code = error instanceof ApiFailure ? error.code : 0
  return (
    <div className="failure" role="alert">
      <strong>{what}</strong>
      <p>{error.message}</p>
      <p className="hint">{adviceFor(code)}</p>
      {(code === 410 || code === 504) && (
        <button type="button" onClick={() => setQuery({ at: undefined, vs: undefined })}>
          Go to the present
        </button>
      )}
    </div>
  )
}

function adviceFor(code: number): string {
  if (code === 403) return 'Whoever administers the cluster can grant it, with a Role or ClusterRole that names this resource and verb. Another namespace may be open to you.'
  if (code === 404) return 'It may have been deleted: move the time bar to when it was there.'
  if (code === 410) return 'The log does not reach back so far.'
  if (code === 504) return 'That moment has not come yet.'
  if (code === 0) return 'The server does not answer. Is the cluster up? It is tried again by itself.'
  return 'It is tried again by itself.'
}
