// All that happened to an object, across its deletion and those of the same name that came after: who, when, because of what,
// and which fields. Every change is a moment that the whole dashboard can go to.
import { useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { askJson } from '../data/api.ts'
import { kubectlName } from '../data/kinds.ts'
import { setQuery } from '../data/place.ts'
import { CopyText } from '../parts/copy.tsx'
import { Empty, Failure, Loading } from '../parts/messages.tsx'
import { Moment } from '../parts/moment.tsx'
import type { TabProps } from './object.tsx'

export interface Version {
  readonly sequence: number
  readonly time: string
  readonly type: string
  readonly actor: string
  readonly manager?: string
  readonly cause?: number
  readonly basis?: number
  readonly uid: string
  readonly deleted: boolean
  readonly created: boolean
  readonly changes: readonly { readonly path: string; readonly from?: unknown; readonly to?: unknown }[]
  readonly more?: number
  readonly damaged?: string
  /** Why nobody can tell what changed: the key is gone. */
  readonly gone?: string
}

const refreshMs = 5_000
const fieldsShown = 6

export function HistoryTab({ kind, namespace, name, object }: TabProps) {
  const { at } = useCluster()
  const [versions, setVersions] = useState<readonly Version[]>()
  const [failure, setFailure] = useState<Error>()
  const [isStatusShown, setStatusShown] = useState(true)
  const current = object.metadata.resourceVersion
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new version is a new history
  useEffect(() => {
    const query = new URLSearchParams({ group: kind.group, resource: kind.resource, namespace, name })
    const load = (): void => void askJson(`/shiplog/v1/history?${query}`).then(({ versions }) => setVersions(versions), setFailure)
    load()
    const timer = window.setInterval(() => !document.hidden && load(), refreshMs)
    return () => window.clearInterval(timer)
  }, [kind, namespace, name, current])
  if (failure) return <Failure error={failure} what="The history cannot be told" />
  if (!versions) return <Loading what="the history" />
  if (versions.length === 0) return <Empty>The log knows nothing of it.</Empty>
  const shown = versions.toReversed().filter((one) => isStatusShown || one.created || one.deleted || one.changes?.some(({ path }) => !path.startsWith('status')))
  return (
    <>
      <div className="bar">
        <span className="quiet">{versions.length} changes</span>
        <label className="check">
          <input type="checkbox" checked={isStatusShown} onChange={(event) => setStatusShown(event.target.checked)} /> changes of status
        </label>
        <span className="spacer" />
        <CopyText text={`npx shiplog history ${kubectlName(kind)}/${name}${namespace ? ` -n ${namespace}` : ''}`} />
      </div>
      <ol className="lane">
        {shown.map((version) => (
          <Change key={version.sequence} version={version} isHere={at === String(version.sequence)} />
        ))}
      </ol>
    </>
  )
}

function Change({ version, isHere }: { readonly version: Version; readonly isHere: boolean }) {
  const [isWhole, setWhole] = useState(false)
  const { sequence, time, type, actor, manager, cause, basis, deleted, created, changes = [], more = 0, damaged, gone } = version
  if (damaged) return <li className="lane-item bad">#{sequence} is damaged: {damaged}</li>
  if (gone) return <li className="lane-item">#{sequence} {type} by {actor}: what it held cannot be told any more: {gone}</li>
  const tone = deleted ? 'removed' : created ? 'added' : 'changed'
  const shown = created && !isWhole ? [] : isWhole ? changes : changes.slice(0, fieldsShown)
  const left = changes.length - shown.length + more
  return (
    <li className={`lane-item ${tone}${isHere ? ' here' : ''}`}>
      <div className="lane-head">
        <strong>{type.replace(/([a-z])([A-Z])/g, '$1 $2')}</strong>
        <span className="quiet">by</span> <span>{actor}</span>
        {manager && manager !== actor.replace(/^system:/, '') && <span className="quiet">({manager})</span>}
        {cause !== undefined && <button type="button" className="link" title="Go to what made it act" onClick={() => setQuery({ at: String(cause) })}>because of #{cause}</button>}
        {basis !== undefined && <span className="quiet">decided at #{basis}</span>}
        <span className="spacer" />
        <Moment ms={Date.parse(time)} />
        <button type="button" className="moment-link" title="See everything as it was then" onClick={() => setQuery({ at: String(deleted ? sequence - 1 : sequence) })}>#{sequence}</button>
        <button type="button" className="moment-link" title="Compare with what it was before" onClick={() => setQuery({ vs: String(sequence - 1), at: String(sequence), tab: 'yaml' })} disabled={created || deleted}>diff</button>
      </div>
      {shown.length > 0 && (
        <ul className="fields">
          {shown.map(({ path, from, to }) => (
            <li key={path}>
              <code className="field-path">{path}</code>
              {from !== undefined && <span className="was">{short(from)}</span>}
              {from !== undefined && to !== undefined && <span aria-hidden="true">→</span>}
              {to !== undefined && <span className="is">{short(to)}</span>}
            </li>
          ))}
        </ul>
      )}
      {left > 0 && !isWhole && changes.length > shown.length && <button type="button" className="link" onClick={() => setWhole(true)}>{left} {created ? 'fields' : 'more fields'}</button>}
    </li>
  )
}

const valueCharactersMax = 140
function short(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > valueCharactersMax ? `${text.slice(0, valueCharactersMax)}…` : text === '' ? '""' : text
}
