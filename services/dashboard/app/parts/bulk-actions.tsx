// What can be done to several rows at once.
import { useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { remove } from '../data/actions.ts'
import type { ApiFailure } from '../data/api.ts'
import { type Kind, kubectlName, objectPath } from '../data/kinds.ts'
import { readOnlyWhy, useRight } from '../data/rights.ts'
import { inNamespace, shellLine } from '../data/shell.ts'
import type { Row } from '../data/table-reader.ts'
import { CopyText } from './copy.tsx'
import { Dialog } from './dialog.tsx'
import { say } from './toasts.tsx'

const shownMax = 12
/** Requests that are under way together. */
const atOnce = 16
/** A longer line is not shown: nobody reads it, and a shell may refuse it. */
const commandCharactersMax = 8_000

export function BulkActions({ kind, rows, onDone }: { readonly kind: Kind; readonly rows: readonly Row[]; readonly onDone: () => void }) {
  const { at, session, namespace } = useCluster()
  const [isAsking, setAsking] = useState(false)
  const verdict = useRight({ verb: 'delete', group: kind.group, resource: kind.resource, ...(namespace ? { namespace } : {}) })
  const why = at ? 'The past is only looked at' : session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  const isAllowed = why === '' && verdict?.allowed === true
  const byNamespace = Map.groupBy(rows, (row) => row.namespace)
  // With their kind before them: a name may look like a flag.
  const command = [...byNamespace].map(([where, some]) => shellLine('kubectl', 'delete', ...some.map(({ name }) => `${kubectlName(kind)}/${name}`), ...inNamespace(where))).join('\n')
  const run = async (): Promise<void> => {
    setAsking(false)
    let next = 0
    const failed: Error[] = []
    const work = async (): Promise<void> => {
      for (let row = rows[next++]; row; row = rows[next++])
        await remove(objectPath(kind, row.namespace, row.name)).catch((error: ApiFailure) => void (error.code === 404 || failed.push(error)))
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, rows.length) }, work))
    say(`${rows.length - failed.length} deleted${failed.length > 0 ? `, ${failed.length} not: ${failed[0]!.message}` : ''}`, { isFailure: failed.length > 0 })
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
          {command.length <= commandCharactersMax && <CopyText text={command} />}
          <div className="row end">
            <button type="button" onClick={() => setAsking(false)}>Cancel</button>
            <button type="button" className="danger primary" onClick={() => void run()}>Delete</button>
          </div>
        </Dialog>
      )}
    </>
  )
}
