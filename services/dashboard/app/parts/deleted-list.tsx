// What there is no more of a kind: still to be looked at, at the last moment when it was there.
import { useCallback, useEffect, useState } from 'react'
import { askJson } from '../data/api.ts'
import type { Kind } from '../data/kinds.ts'
import { objectHref } from '../data/place.ts'
import { Link } from './link.tsx'
import { Empty, Failure, Loading } from './messages.tsx'
import { Moment } from './moment.tsx'

interface Deleted {
  readonly namespace: string
  readonly name: string
  readonly sequence: number
  readonly time: string
  readonly actor: string
  readonly last: number
}

interface Page {
  readonly items: readonly Deleted[]
  /** Where to look on; undefined at the log's beginning. */
  readonly before?: number
}

/** More than these are for SQL. */
const shownMax = 2_000

export function DeletedList({ kind, namespace }: { readonly kind: Kind; readonly namespace: string }) {
  const [found, setFound] = useState<Page>()
  const [failure, setFailure] = useState<Error>()
  const [isBusy, setBusy] = useState(false)
  const load = useCallback(
    async (after: Page | undefined, signal?: AbortSignal): Promise<void> => {
      const query = new URLSearchParams({ group: kind.group, resource: kind.resource, namespace: kind.namespaced ? namespace : '' })
      if (after?.before !== undefined) query.set('before', String(after.before))
      setBusy(true)
      try {
        const page = await askJson<Page>(`/shiplog/v1/deleted?${query}`, signal ? { signal } : {})
        setFound({ ...page, items: [...(after?.items ?? []), ...page.items] })
        setFailure(undefined)
      } catch (error) {
        if (!signal?.aborted) setFailure(error as Error)
      }
      if (!signal?.aborted) setBusy(false)
    },
    [kind, namespace],
  )
  useEffect(() => {
    const ending = new AbortController()
    setFound(undefined)
    setFailure(undefined)
    void load(undefined, ending.signal)
    return () => ending.abort()
  }, [load])
  if (failure) return <Failure error={failure} what="What was deleted cannot be told" />
  if (!found) return <Loading what="what was deleted" />
  const { items, before } = found
  const more = before !== undefined && items.length < shownMax && (
    <p className="row">
      <button type="button" disabled={isBusy} onClick={() => void load(found)}>{isBusy ? 'Looking …' : 'Look further back'}</button>
      <span className="quiet">{items.length} found since #{before}</span>
    </p>
  )
  if (items.length === 0)
    return before === undefined ? <Empty>Nothing of this kind was ever deleted here.</Empty> : <div className="deleted">{more}</div>
  return (
    <div className="deleted">
      <table className="plain">
        <caption className="visually-hidden">Deleted objects</caption>
        <thead>
          <tr>
            <th>Deleted</th>
            <th>Name</th>
            <th>By</th>
            <th>At</th>
          </tr>
        </thead>
        <tbody>
          {items.map((one) => (
            <tr key={`${one.namespace}/${one.name}`}>
              <td><Moment ms={Date.parse(one.time)} /></td>
              <td>
                <Link href={objectHref({ ...kind, ...one }, { at: String(one.last), vs: undefined })}>
                  {one.namespace ? `${one.namespace}/` : ''}{one.name}
                </Link>
              </td>
              <td>{one.actor}</td>
              <td className="number">#{one.sequence}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more}
    </div>
  )
}
