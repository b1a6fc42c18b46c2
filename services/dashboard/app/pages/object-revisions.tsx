// The rollout revisions of a Deployment, and back to one of them: the difference is shown before it is done.
import { useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import type { AnyObject } from '../data/actions.ts'
import { askJson, asOf } from '../data/api.ts'
import { objectPath } from '../data/kinds.ts'
import { readOnlyWhy, useRight } from '../data/rights.ts'
import { inNamespace, shellLine } from '../data/shell.ts'
import { yamlOf } from '../data/yaml.ts'
import { CopyText } from '../parts/copy.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Differences } from '../parts/editor.tsx'
import { Empty, Failure, Loading } from '../parts/messages.tsx'
import { Moment } from '../parts/moment.tsx'
import { say } from '../parts/toasts.tsx'
import type { TabProps } from './object.tsx'

const revisionKey = 'deployment.kubernetes.io/revision'
const hashLabel = 'pod-template-hash'

export function RevisionsTab({ kind, namespace, name, object }: TabProps) {
  const { at, session } = useCluster()
  const [sets, setSets] = useState<readonly AnyObject[]>()
  const [failure, setFailure] = useState<Error>()
  const [chosen, setChosen] = useState<AnyObject>()
  const verdict = useRight({ verb: 'patch', group: kind.group, resource: kind.resource, namespace, name })
  const { uid, resourceVersion } = object.metadata
  // biome-ignore lint/correctness/useExhaustiveDependencies: of this version of the Deployment
  useEffect(() => {
    askJson(asOf(at, `/apis/apps/v1/namespaces/${namespace}/replicasets?limit=1000`)).then(({ items }) => {
      const own = items.filter(({ metadata }: AnyObject) => metadata.ownerReferences?.some((owner: AnyObject) => owner.uid === uid))
      setSets(own.sort((a: AnyObject, b: AnyObject) => revisionOf(b) - revisionOf(a)))
    }, setFailure)
  }, [uid, resourceVersion, at, namespace])
  if (failure) return <Failure error={failure} what="Its revisions cannot be shown" />
  if (!sets) return <Loading what="revisions" />
  if (sets.length === 0) return <Empty>It has no revisions yet.</Empty>
  const current = object.metadata.annotations?.[revisionKey]
  const why = at ? 'The past is only looked at' : session.readOnly ? readOnlyWhy : (verdict?.why ?? '')
  return (
    <>
      <table className="plain">
        <thead>
          <tr><th className="number">Revision</th><th>ReplicaSet</th><th>Images</th><th className="number">Pods</th><th>Age</th><th /></tr>
        </thead>
        <tbody>
          {sets.map((set) => {
            const isCurrent = String(revisionOf(set)) === current
            return (
              <tr key={set.metadata.uid}>
                <td className="number"><strong>{revisionOf(set)}</strong></td>
                <td>{set.metadata.name} {isCurrent && <span className="chip">current</span>}</td>
                <td><code>{set.spec.template.spec.containers.map((one: AnyObject) => one.image).join(', ')}</code></td>
                <td className="number">{set.status?.replicas ?? 0}</td>
                <td><Moment ms={Date.parse(set.metadata.creationTimestamp)} /></td>
                <td>{!isCurrent && <button type="button" aria-disabled={why !== ''} title={why || undefined} onClick={() => (why ? say(why, { isFailure: true }) : setChosen(set))}>Roll back</button>}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {chosen && <RollBack {...{ kind, namespace, name, object }} set={chosen} onClose={() => setChosen(undefined)} />}
    </>
  )
}

const revisionOf = (set: AnyObject): number => Number(set.metadata.annotations?.[revisionKey] ?? 0)

const templateOf = ({ spec }: AnyObject): AnyObject => {
  const { [hashLabel]: _hash, ...labels } = spec.template.metadata?.labels ?? {}
  return { ...spec.template, metadata: { ...spec.template.metadata, labels } }
}

function RollBack({ kind, namespace, name, object, set, onClose }: TabProps & { readonly set: AnyObject; readonly onClose: () => void }) {
  const [failure, setFailure] = useState<Error>()
  const command = shellLine('kubectl', 'rollout', 'undo', `deployment/${name}`, ...inNamespace(namespace), `--to-revision=${revisionOf(set)}`)
  const template = templateOf(set)
  const run = (): void => {
    const body = [
      // What was previewed: the status may have changed since, the spec may not.
      { op: 'test', path: '/metadata/generation', value: object.metadata.generation },
      { op: 'replace', path: '/spec/template', value: template },
    ]
    askJson(objectPath(kind, namespace, name), { method: 'PATCH', type: 'application/json-patch+json', body }).then(() => {
      say(`Rolled back to revision ${revisionOf(set)}`, { command })
      onClose()
    }, setFailure)
  }
  return (
    <Dialog title={`Roll back to revision ${revisionOf(set)}`} onClose={onClose} isWide>
      <p>The pod template becomes that of the revision; all else of the Deployment stays.</p>
      <Differences before={yamlOf({ metadata: {}, spec: { template: templateOf(object) } })} after={yamlOf({ metadata: {}, spec: { template } })} labels={['now', `revision ${revisionOf(set)}`]} />
      <CopyText text={command} />
      {failure && <Failure error={failure} what="It was not rolled back" />}
      <div className="row end">
        <button type="button" onClick={onClose}>Cancel</button>
        <button type="button" className="primary" onClick={run}>Roll back</button>
      </div>
    </Dialog>
  )
}
