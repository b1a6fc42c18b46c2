// Buttons of what can be done to an object. What the user may not do is not offered, and says why.
import { type FormEvent, useId, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { type Action, type ActionInput, type AnyObject, actionsFor } from '../data/actions.ts'
import { type Kind, keyOf } from '../data/kinds.ts'
import { readOnlyWhy, useRight } from '../data/rights.ts'
import { CopyText } from './copy.tsx'
import { Dialog } from './dialog.tsx'
import { DrainButton, DrainDialog } from './drain.tsx'
import { Failure } from './messages.tsx'
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
      {keyOf(kind) === 'nodes' && <DrainButton name={object.metadata.name} onAsk={() => setDraining(true)} />}
      {asked && <ActionDialog action={asked} onClose={() => setAsked(undefined)} />}
      {isDraining && <DrainDialog node={object.metadata.name} onClose={() => setDraining(false)} />}
    </div>
  )
}

function ActionButton({ action, onAsk }: { readonly action: Action; readonly onAsk: () => void }) {
  const { session } = useCluster()
  const verdict = useRight(action.right)
  const why = session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  const isAllowed = verdict?.allowed === true && !session.readOnly
  return (
    <button type="button" className={action.isDangerous ? 'danger' : undefined} aria-disabled={!isAllowed} title={why || action.command(action.input?.initial ?? '')} onClick={() => (isAllowed ? onAsk() : verdict && say(why, { isFailure: true }))}>
      {action.title}
    </button>
  )
}

function ActionDialog({ action, onClose }: { readonly action: Action; readonly onClose: () => void }) {
  const [input, setInput] = useState(action.input?.initial ?? '')
  const [failure, setFailure] = useState<Error>()
  const [isBusy, setBusy] = useState(false)
  const command = action.command(input)
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
        {action.input && <Input input={action.input} value={input} onChange={setInput} />}
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

function Input({ input, value, onChange }: { readonly input: ActionInput; readonly value: string; readonly onChange: (value: string) => void }) {
  const id = useId()
  return (
    <p className="row">
      <label htmlFor={id}>{input.label}</label>
      {input.type === 'count' ? (
        <input id={id} type="number" min={0} step={1} required value={value} onChange={(event) => onChange(event.target.value)} />
      ) : (
        <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
          {input.choices.map((choice) => <option key={choice.value} value={choice.value}>{choice.title}</option>)}
        </select>
      )}
    </p>
  )
}
