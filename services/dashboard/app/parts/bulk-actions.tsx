// What can be done to several rows at once.
import { useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { remove } from '../data/actions.ts'
import { type Kind, kubectlName, objectPath } from '../data/kinds.ts'
import { useRight } from '../data/rights.ts'
import type { Row } from '../data/table-reader.ts'
import { CopyText } from './copy.tsx'
import { Dialog } from './dialog.tsx'
import { say } from './toasts.tsx'

const shownMax = 12

export function BulkActions({ kind, rows, onDone }: { readonly kind: Kind; readonly rows: readonly Row[]; readonly onDone: () => void }) {
  const { at, session, namespace } = useCluster()
  const [isAsking, setAsking] = useState(false)
  const verdict = useRight({ verb: 'delete', group: kind.group, resource: kind.resource, ...(namespace ? { namespace } : {}) })
  const why = at ? 'The past is only looked at' : session.readOnly ? 'This session is read-only' : (verdict?.why ?? '')
  const isAllowed = why === '' && verdict?.allowed === true
  const byNamespace = Map.groupBy(rows, (row) => row.namespace)
  const command = [...byNamespace]
    .map(([where, some]) => `kubectl delete ${kubectlName(kind)} ${some.map(({ name }) => name).join(' ')}${where ? ` -n ${where}` : ''}`)
    .join('\n')
  const run = async (): Promise<void> => {
    setAsking(false)
    const results = await Promise.allSettled(rows.map((row) => remove(objectPath(kind, row.namespace, row.name))))
    const failed = results.filter((one) => one.status === 'rejected')
    say(`${rows.length - failed.length} deleted${failed.length > 0 ? `, ${failed.length} not: ${(failed[0]!.reason as Error).message}` : ''}`, { command: command.split('\n')[0], isFailure: failed.length > 0 })
    onDone()
  }
  return (
    <>
      <strong>{rows.length} selected</strong>
      <button type="button" className="danger" aria-disabled={!isAllowed} title={why || undefined} onClick={() => (isAllowed ? setAsking(true) : say(why, { isFailure: true }))}>
        Delete
      </button>
      <button type="button" className="quiet-button" onClick={onDone}>Clear</button>
      {isAsking && (
        <Dialog title={`Delete ${rows.length} ${kind.resource}?`} onClose={() => setAsking(false)}>
          <ul className="drain-list">
            {rows.slice(0, shownMax).map((row) => (
              <li key={row.key}>{row.namespace ? `${row.namespace}/` : ''}{row.name}</li>
            ))}
            {rows.length > shownMax && <li className="quiet">and {rows.length - shownMax} more</li>}
          </ul>
          <CopyText text={command} />
          <div className="row end">
            <button type="button" onClick={() => setAsking(false)}>Cancel</button>
            <button type="button" className="danger primary" onClick={() => void run()}>Delete</button>
          </div>
        </Dialog>
      )}
    </>
  )
}
