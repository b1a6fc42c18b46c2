// Event objects about one object.
import { useMemo } from 'react'
import { useCluster } from '../cluster-state.ts'
import { asOf } from '../data/api.ts'
import { Empty, Failure, Loading } from '../parts/messages.tsx'
import { textOf } from '../data/arrange.ts'
import { useTable } from './list.tsx'
import type { TabProps } from './object.tsx'

export function EventsTab({ kind, namespace, name, object }: TabProps) {
  const { at } = useCluster()
  const { uid } = object.metadata
  const fieldSelector = uid ? `involvedObject.uid=${uid}` : `involvedObject.name=${name},involvedObject.kind=${kind.kind}`
  const path = namespace ? `/api/v1/namespaces/${namespace}/events` : '/api/v1/events'
  const options = useMemo(() => ({ path: asOf(at, path), live: !at, fieldSelector }), [at, path, fieldSelector])
  const { columns, rows, phase, failure } = useTable(options)
  if (failure && rows.length === 0) return <Failure error={failure} what="Its Events cannot be shown" />
  if (phase === 'loading') return <Loading what="Events" />
  if (rows.length === 0) return <Empty>No Events are kept about it. They age after an hour; its history does not.</Empty>
  const wanted = ['Last Seen', 'Type', 'Reason', 'Count', 'Source', 'Message']
  const shown = wanted.flatMap((title) => {
    const index = columns.findIndex((column) => column.name === title)
    return index < 0 ? [] : [{ title, index }]
  })
  return (
    <table className="plain events">
      <caption className="visually-hidden">Events</caption>
      <thead>
        <tr>{shown.map(({ title }) => <th key={title}>{title}</th>)}</tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.key}>
            {shown.map(({ title, index }) => (
              <td key={title}>{title === 'Type' ? <span className={`status ${row.cells[index] === 'Normal' ? 'calm' : 'warn'}`}>{textOf(row.cells[index])}</span> : textOf(row.cells[index])}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
