// The object as YAML: to be read, and to be changed. Before anything is applied the server says what would come of it; who
// changed it meanwhile is told, and the change goes on top of theirs when it is applied again.
import { useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { type ApiFailure, ask, askJson, asOf } from '../data/api.ts'
import { kubectlName, objectPath } from '../data/kinds.ts'
import { readOnlyWhy, useRight } from '../data/rights.ts'
import { atMoment, inNamespace, shellLine } from '../data/shell.ts'
import { yamlOf } from '../data/yaml.ts'
import { CopyText } from '../parts/copy.tsx'
import { Differences, Editor } from '../parts/editor.tsx'
import { Failure } from '../parts/messages.tsx'
import { say } from '../parts/toasts.tsx'
import type { TabProps } from './object.tsx'

export function YamlTab(props: TabProps) {
  const { at, versus, session } = useCluster()
  const { kind, namespace, name, object } = props
  const [isManaged, setManaged] = useState(false)
  const [isEditing, setEditing] = useState(false)
  const verdict = useRight({ verb: 'update', group: kind.group, resource: kind.resource, namespace, name })
  const why = at ? 'The past is only looked at' : session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  const isAllowed = why === '' && verdict?.allowed === true
  if (versus) return <Compared {...props} versus={versus} />
  if (isEditing) return <Edit {...props} onDone={() => setEditing(false)} />
  return (
    <>
      <div className="bar">
        <button type="button" aria-disabled={!isAllowed} title={why || undefined} onClick={() => (isAllowed ? setEditing(true) : say(why, { isFailure: true }))}>Edit</button>
        <label className="check">
          <input type="checkbox" checked={isManaged} onChange={(event) => setManaged(event.target.checked)} /> managed fields
        </label>
        <span className="spacer" />
        <CopyText text={shellLine('kubectl', ...atMoment(at), 'get', `${kubectlName(kind)}/${name}`, ...inNamespace(namespace), '-o', 'yaml')} />
      </div>
      <Editor value={yamlOf(object, { managed: isManaged })} label={`YAML of ${name}`} language="yaml" readOnly />
    </>
  )
}

function Compared({ kind, namespace, name, object, versus }: TabProps & { readonly versus: string }) {
  const { at } = useCluster()
  const [before, setBefore] = useState<string>()
  useEffect(() => {
    askJson(asOf(versus, objectPath(kind, namespace, name))).then(
      (old) => setBefore(yamlOf(old)),
      (error: ApiFailure) => setBefore(error.code === 404 ? '' : `# ${error.message}\n`),
    )
  }, [kind, namespace, name, versus])
  return before === undefined ? null : <Differences before={before} after={yamlOf(object)} labels={[`#${versus}${before === '' ? ' (not there)' : ''}`, at ? `#${at}` : 'now']} />
}

type Step = { readonly is: 'editing' } | { readonly is: 'previewed'; readonly before: string; readonly after: string }

function Edit({ kind, namespace, name, object, onDone }: TabProps & { readonly onDone: () => void }) {
  // What was there when it began: its version is what the change is meant for.
  const [basis, setBasis] = useState(object)
  const [text, setText] = useState(() => yamlOf(object))
  const [step, setStep] = useState<Step>({ is: 'editing' })
  const [failure, setFailure] = useState<ApiFailure>()
  const path = objectPath(kind, namespace, name)
  const put = async (dryRun: boolean) => {
    const response = await ask(`${path}?fieldManager=dashboard&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`, { method: 'PUT', body: text, type: 'application/yaml' })
    return await response.json()
  }
  const preview = (): void => {
    setFailure(undefined)
    put(true).then((after) => setStep({ is: 'previewed', before: yamlOf(basis), after: yamlOf(after) }), setFailure)
  }
  const apply = (): void => {
    put(false).then(() => {
      say(`${name} changed`, { command: shellLine('kubectl', 'edit', `${kubectlName(kind)}/${name}`, ...inNamespace(namespace)) })
      onDone()
    }, (error: ApiFailure) => {
      setFailure(error)
      setStep({ is: 'editing' })
    })
  }
  /** The version of the present under the text as it is: what others did in fields that it names is undone knowingly. */
  const takeOver = async (): Promise<void> => {
    const current = await askJson(path)
    setText(text.replace(/^(\s+resourceVersion:).*$/m, `$1 '${current.metadata.resourceVersion}'`))
    setBasis(current)
    setFailure(undefined)
  }
  return (
    <>
      <div className="bar">
        {step.is === 'editing' ? (
          <button type="button" className="primary" onClick={preview}>Preview</button>
        ) : (
          <>
            <button type="button" className="primary" onClick={apply}>Apply</button>
            <button type="button" onClick={() => setStep({ is: 'editing' })}>Back to the text</button>
          </>
        )}
        <button type="button" onClick={onDone}>Cancel</button>
        <span className="spacer" />
        <span className="quiet">{step.is === 'editing' ? 'Preview asks the server what would come of it' : step.before === step.after ? 'Nothing would change' : 'So the server would store it'}</span>
      </div>
      {failure && (failure.code === 409 ? <Conflict {...{ kind, namespace, name, basis }} onTakeOver={() => void takeOver()} /> : <Failure error={failure} what="The server refuses it" />)}
      {step.is === 'editing' ? (
        <Editor value={text} label={`Edit the YAML of ${name}`} language="yaml" onChange={setText} onRun={preview} />
      ) : (
        <Differences before={step.before} after={step.after} labels={['now', 'after']} />
      )}
    </>
  )
}

function Conflict({ kind, namespace, name, basis, onTakeOver }: Omit<TabProps, 'object'> & { readonly basis: TabProps['object']; readonly onTakeOver: () => void }) {
  const [current, setCurrent] = useState<TabProps['object']>()
  useEffect(() => {
    askJson(objectPath(kind, namespace, name)).then(setCurrent, () => undefined)
  }, [kind, namespace, name])
  const managers = (current?.metadata.managedFields ?? []) as { manager: string; time?: string }[]
  const last = managers.toSorted((a, b) => (a.time ?? '').localeCompare(b.time ?? '')).at(-1)
  return (
    <div className="failure" role="alert">
      <strong>Somebody was faster</strong>
      <p>
        You began at version #{basis.metadata.resourceVersion}; it is #{current?.metadata.resourceVersion ?? '…'} now
        {last ? `, changed by ${last.manager}` : ''}. Look at what they changed, then take it up: your text stands on their version, and the preview shows what it would change of it.
      </p>
      {current && <Differences before={yamlOf(basis)} after={yamlOf(current)} labels={['when you began', 'what they made of it']} />}
      <button type="button" onClick={onTakeOver}>Take it up</button>
    </div>
  )
}
