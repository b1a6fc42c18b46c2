// Draining a node: what would become of each of its pods, and then what does.
import { useEffect, useRef, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { cordonNode } from '../data/actions.ts'
import { drainCommand, type DrainedPod, type DrainOptions, drainPreview, evictAll, flagOf } from '../data/drain.ts'
import { readOnlyWhy, useRight } from '../data/rights.ts'
import { CopyText } from './copy.tsx'
import { Dialog } from './dialog.tsx'
import { Failure, Loading } from './messages.tsx'
import { say } from './toasts.tsx'

const careful: DrainOptions = { force: false, deleteEmptyDir: false }

export function DrainButton({ name, onAsk }: { readonly name: string; readonly onAsk: () => void }) {
  const { session } = useCluster()
  const verdict = useRight({ verb: 'create', group: '', resource: 'pods', subresource: 'eviction' })
  const isAllowed = verdict?.allowed === true && !session.readOnly
  const why = session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  return (
    <button type="button" aria-disabled={!isAllowed} title={why || drainCommand(name, careful)} onClick={() => (isAllowed ? onAsk() : verdict && say(why, { isFailure: true }))}>
      Drain
    </button>
  )
}

export function DrainDialog({ node, onClose }: { readonly node: string; readonly onClose: () => void }) {
  const [preview, setPreview] = useState<(options: DrainOptions) => readonly DrainedPod[]>()
  const [options, setOptions] = useState(careful)
  const [failure, setFailure] = useState<Error>()
  const [done, setDone] = useState<ReadonlyMap<string, string>>(new Map())
  const [isBusy, setBusy] = useState(false)
  const ending = useRef(new AbortController())
  useEffect(() => {
    drainPreview(node).then((found) => setPreview(() => found), setFailure)
    const controller = new AbortController()
    ending.current = controller
    return () => controller.abort()
  }, [node])
  const pods = preview?.(options) ?? []
  const going = pods.filter(({ fate }) => fate === 'goes')
  const blocking = pods.filter(({ fate }) => fate === 'blocks')
  const command = drainCommand(node, options)
  const run = async (): Promise<void> => {
    setBusy(true)
    const { signal } = ending.current
    try {
      await cordonNode(node, true)
      const left = await evictAll(going, (pod, what) => setDone((before) => new Map(before).set(keyOf(pod), what)), signal)
      if (!signal.aborted) say(left === 0 ? `${node} is drained` : `${node} is cordoned; ${left} pods did not go`, { command, isFailure: left > 0 })
    } catch (error) {
      setFailure(error as Error)
    }
    setBusy(false)
  }
  // What may be chosen depends on what stands in the way when nothing is.
  const asked = new Set((preview?.(careful) ?? []).flatMap(({ unless }) => unless ?? []))
  if (options.deleteEmptyDir && preview?.({ ...careful, deleteEmptyDir: true }).some(({ unless }) => unless === 'force')) asked.add('force')
  return (
    <Dialog title={`Drain ${node}`} onClose={onClose}>
      {failure && <Failure error={failure} what="It cannot be drained" />}
      {!preview && !failure && <Loading what="its pods" />}
      {preview && (
        <>
          <p>
            {blocking.length > 0
              ? `${blocking.length} of its ${pods.length} pods stand in the way: kubectl would refuse, and nothing is evicted.`
              : `It is cordoned, and ${going.length} of its ${pods.length} pods are evicted.`}
          </p>
          <ul className="drain-list">{pods.map((pod) => <PodLine key={keyOf(pod)} pod={pod} what={done.get(keyOf(pod))} />)}</ul>
          {[...asked].map((option) => (
            <label key={option} className="check block">
              <input type="checkbox" checked={options[option]} disabled={isBusy} onChange={(event) => setOptions({ ...options, [option]: event.target.checked })} />{' '}
              {option === 'force' ? 'also pods that nobody would make anew' : 'also pods whose emptyDir would be lost'} <code>{flagOf(option)}</code>
            </label>
          ))}
          <CopyText text={command} />
          <div className="row end">
            <button type="button" onClick={onClose}>Close</button>
            <button type="button" className="danger primary" disabled={isBusy || blocking.length > 0} onClick={() => void run()}>{isBusy ? 'Draining …' : 'Drain'}</button>
          </div>
        </>
      )}
    </Dialog>
  )
}

const keyOf = ({ namespace, name }: DrainedPod): string => `${namespace}/${name}`

function PodLine({ pod, what }: { readonly pod: DrainedPod; readonly what: string | undefined }) {
  const { fate, why, budgets } = pod
  const budget = budgets.map(({ name, allowed }) => `budget ${name}: ${allowed} may go now`).join(', ')
  const text = what ?? [fate === 'goes' ? why : `${fate === 'stays' ? 'stays' : 'in the way'}: ${why}`, fate === 'stays' ? '' : budget].filter(Boolean).join('; ')
  return (
    <li className={fate === 'stays' ? 'quiet' : undefined}>
      <span>{keyOf(pod)}</span> <span className={fate === 'blocks' || budgets.some(({ allowed }) => allowed === 0) ? 'warn-text' : 'quiet'}>{text}</span>
    </li>
  )
}
