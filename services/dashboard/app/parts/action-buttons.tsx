// Buttons of what can be done to an object. What the user may not do is not offered, and says why.
import { type FormEvent, useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { type Action, type AnyObject, actionsFor, drainPreview, type DrainedPod, evict } from '../data/actions.ts'
import type { Kind } from '../data/kinds.ts'
import { useRight } from '../data/rights.ts'
import { CopyText } from './copy.tsx'
import { Dialog } from './dialog.tsx'
import { Failure, Loading } from './messages.tsx'
import { say } from './toasts.tsx'

export function ActionButtons({ kind, object }: { readonly kind: Kind; readonly object: AnyObject }) {
  const { at } = useCluster()
  const [asked, setAsked] = useState<Action>()
  const [isDraining, setDraining] = useState(false)
  if (at) return <span className="quiet">The past is only looked at.</span>
  return (
    <div className="actions">
      {actionsFor(kind, object).map((action) => (
        <ActionButton key={action.name} action={action} onAsk={() => setAsked(action)} />
      ))}
      {kind.resource === 'nodes' && <DrainButton name={object.metadata.name} onAsk={() => setDraining(true)} />}
      {asked && <ActionDialog action={asked} onClose={() => setAsked(undefined)} />}
      {isDraining && <DrainDialog node={object.metadata.name} onClose={() => setDraining(false)} />}
    </div>
  )
}

/** Why nothing can be done, of a session that only looks. */
const readOnlyWhy = 'This session is read-only'

function ActionButton({ action, onAsk }: { readonly action: Action; readonly onAsk: () => void }) {
  const { session } = useCluster()
  const verdict = useRight(action.right)
  const why = session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  const isAllowed = verdict?.allowed === true && !session.readOnly
  return (
    <button type="button" className={action.isDangerous ? 'danger' : undefined} aria-disabled={!isAllowed} title={why || action.command} onClick={() => (isAllowed ? onAsk() : verdict && say(why, { isFailure: true }))}>
      {action.title}
    </button>
  )
}

function ActionDialog({ action, onClose }: { readonly action: Action; readonly onClose: () => void }) {
  const [input, setInput] = useState(action.input?.initial ?? '')
  const [failure, setFailure] = useState<Error>()
  const [isBusy, setBusy] = useState(false)
  const command = action.command.replace('=N', `=${input}`)
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    setBusy(true)
    action.run(input).then(
      () => {
        say(`${action.title}: done`, { command })
        onClose()
      },
      (error: Error) => {
        setBusy(false)
        setFailure(error)
      },
    )
  }
  return (
    <Dialog title={action.title} onClose={onClose}>
      <form onSubmit={submit}>
        {action.input && (
          <label>
            {action.input.label}
            <input type={action.input.type} min={0} value={input} onChange={(event) => setInput(event.target.value)} />
          </label>
        )}
        <p className="hint">The same by kubectl:</p>
        <CopyText text={command} />
        {failure && <Failure error={failure} what="It was not done" />}
        <div className="row end">
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" className={action.isDangerous ? 'danger primary' : 'primary'} disabled={isBusy}>
            {action.title}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

function DrainButton({ name, onAsk }: { readonly name: string; readonly onAsk: () => void }) {
  const { session } = useCluster()
  const verdict = useRight({ verb: 'create', group: '', resource: 'pods', subresource: 'eviction' })
  const isAllowed = verdict?.allowed === true && !session.readOnly
  const why = session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  return (
    <button type="button" aria-disabled={!isAllowed} title={why || `kubectl drain ${name} --ignore-daemonsets`} onClick={() => (isAllowed ? onAsk() : say(why, { isFailure: true }))}>
      Drain
    </button>
  )
}

function DrainDialog({ node, onClose }: { readonly node: string; readonly onClose: () => void }) {
  const { kinds } = useCluster()
  const [pods, setPods] = useState<readonly DrainedPod[]>()
  const [failure, setFailure] = useState<Error>()
  const [done, setDone] = useState<ReadonlyMap<string, string>>(new Map())
  useEffect(() => {
    drainPreview(node).then(setPods, setFailure)
  }, [node])
  const run = async (): Promise<void> => {
    const kind = kinds.find((one) => one.resource === 'nodes' && one.group === '')!
    const cordon = actionsFor(kind, { metadata: { name: node } }).find(({ name }) => name === 'cordon')!
    await cordon.run('')
    for (const pod of pods ?? []) {
      if (pod.stays) continue
      const what = await evict(pod).then(() => 'evicted', (error: Error) => error.message)
      setDone((before) => new Map(before).set(`${pod.namespace}/${pod.name}`, what))
    }
  }
  return (
    <Dialog title={`Drain ${node}`} onClose={onClose}>
      {failure && <Failure error={failure} what="It cannot be drained" />}
      {!pods && !failure && <Loading what="its pods" />}
      {pods && (
        <>
          <p>It is cordoned, and {pods.filter(({ stays }) => !stays).length} of its {pods.length} pods are evicted.</p>
          <ul className="drain-list">
            {pods.map((pod) => {
              const key = `${pod.namespace}/${pod.name}`
              return (
                <li key={key} className={pod.stays ? 'quiet' : undefined}>
                  <span>{key}</span> <span className="quiet">{done.get(key) ?? (pod.stays ? `stays: ${pod.stays}` : '')}</span>
                </li>
              )
            })}
          </ul>
          <CopyText text={`kubectl drain ${node} --ignore-daemonsets`} />
          <div className="row end">
            <button type="button" onClick={onClose}>Close</button>
            <button type="button" className="danger primary" onClick={() => void run().catch(setFailure)}>Drain</button>
          </div>
        </>
      )}
    </Dialog>
  )
}
