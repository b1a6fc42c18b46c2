// What there is no more of a kind: still to be looked at, at the last moment when it was there.
import { useEffect, useState } from 'react'
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

export function DeletedList({ kind, namespace }: { readonly kind: Kind; readonly namespace: string }) {
  const [items, setItems] = useState<readonly Deleted[]>()
  const [failure, setFailure] = useState<Error>()
  useEffect(() => {
    const query = new URLSearchParams({ group: kind.group, resource: kind.resource, namespace: kind.namespaced ? namespace : '' })
    askJson(`/shiplog/v1/deleted?${query}`).then(({ items }) => setItems(items), setFailure)
  }, [kind, namespace])
  if (failure) return <Failure error={failure} what="What was deleted cannot be told" />
  if (!items) return <Loading what="what was deleted" />
  if (items.length === 0) return <Empty>Nothing of this kind was ever deleted here.</Empty>
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
    </div>
  )
}
