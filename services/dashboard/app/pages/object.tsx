// One object: what it is, what became of it, what belongs to it, and what can be done to it.
import { type KeyboardEvent, lazy, type ReactNode, Suspense } from 'react'
import { useCluster } from '../cluster-state.ts'
import type { AnyObject } from '../data/actions.ts'
import { type Kind, titleOf } from '../data/kinds.ts'
import { useObject } from '../data/object-store.ts'
import { listHref, setQuery, usePlace } from '../data/place.ts'
import { useMomentMs } from '../data/timeline.ts'
import { ActionButtons } from '../parts/action-buttons.tsx'
import { Link } from '../parts/link.tsx'
import { Failure, Loading } from '../parts/messages.tsx'
import { EventsTab } from './object-events.tsx'
import { HistoryTab } from './object-history.tsx'
import { LogsTab } from './object-logs.tsx'
import { RelationsTab } from './object-relations.tsx'
import { RevisionsTab } from './object-revisions.tsx'
import { SummaryTab } from './object-summary.tsx'
import { WhyTab } from './object-why.tsx'
import { YamlTab } from './object-yaml.tsx'

/** Loaded when somebody first opens one. */
const TerminalTab = lazy(() => import('./object-terminal.tsx').then(({ TerminalTab }) => ({ default: TerminalTab })))

export interface TabProps {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
  readonly object: AnyObject
}

interface Tab {
  readonly id: string
  readonly title: string
  readonly page: (props: TabProps) => ReactNode
  readonly for?: (kind: Kind) => boolean
  /** Of the present alone. */
  readonly isLive?: boolean
}

const isPod = ({ group, resource }: Kind): boolean => group === '' && resource === 'pods'
const hasPods = (kind: Kind): boolean => isPod(kind) || /^(deployments|replicasets|statefulsets|daemonsets|jobs|replicationcontrollers)$/.test(kind.resource)

const tabs: readonly Tab[] = [
  { id: 'summary', title: 'Summary', page: (props) => <SummaryTab {...props} /> },
  { id: 'why', title: 'Why here?', page: (props) => <WhyTab {...props} />, for: isPod },
  { id: 'yaml', title: 'YAML', page: (props) => <YamlTab {...props} /> },
  { id: 'history', title: 'History', page: (props) => <HistoryTab {...props} />, for: ({ resource }) => !/^(events|leases)$/.test(resource) },
  { id: 'events', title: 'Events', page: (props) => <EventsTab {...props} /> },
  { id: 'relations', title: 'Relations', page: (props) => <RelationsTab {...props} /> },
  { id: 'revisions', title: 'Revisions', page: (props) => <RevisionsTab {...props} />, for: ({ resource }) => resource === 'deployments' },
  { id: 'logs', title: 'Logs', page: (props) => <LogsTab {...props} />, for: hasPods, isLive: true },
  { id: 'terminal', title: 'Terminal', page: (props) => <Suspense fallback={<Loading what="the terminal" />}><TerminalTab {...props} /></Suspense>, for: isPod, isLive: true },
]

export function ObjectPage({ kind, namespace, name }: { readonly kind: Kind; readonly namespace: string; readonly name: string }) {
  const { at } = useCluster()
  const { query } = usePlace()
  const { object, isGone, failure } = useObject(kind, namespace, name, at)
  const offered = tabs.filter((tab) => (tab.for?.(kind) ?? true) && !(tab.isLive && at))
  const shown = offered.find(({ id }) => id === query.get('tab')) ?? offered[0]!
  return (
    <section className="page object-page">
      <p className="crumbs">
        <Link href={listHref(kind)}>{titleOf(kind)}</Link>
        {namespace && (
          <>
            <span aria-hidden="true"> / </span>
            <Link href={listHref(kind, { ns: namespace })}>{namespace}</Link>
          </>
        )}
      </p>
      <header className="page-head">
        <h1>{name}</h1>
        {object && <Health object={object} isGone={isGone} />}
        <span className="spacer" />
        {object && !isGone && <ActionButtons kind={kind} object={object} />}
      </header>
      <Ask {...{ kind, at, isGone, failure, object }} />
      <div className="tabs" role="tablist" aria-label={`About ${name}`} onKeyDown={moveTab}>
        {offered.map(({ id, title }) => (
          <button type="button" key={id} role="tab" id={`tab-${id}`} aria-selected={id === shown.id} tabIndex={id === shown.id ? 0 : -1} aria-controls="tab-panel" onClick={() => setQuery({ tab: id })}>
            {title}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${shown.id}`} className={`panel ${shown.id}`}>
        {object || shown.id === 'history' || shown.id === 'why' ? (
          shown.page({ kind, namespace, name, object: object ?? { metadata: { namespace, name } } })
        ) : failure ? null : (
          <Loading what={name} />
        )}
      </div>
    </section>
  )
}

/** The arrows go from tab to tab; one of them is reached by Tab. */
function moveTab(event: KeyboardEvent<HTMLDivElement>): void {
  const tabs = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')]
  const at = tabs.indexOf(event.target as HTMLElement)
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key]
  const next = to === undefined ? undefined : tabs[(to + tabs.length) % tabs.length]
  if (!next || at < 0) return
  event.preventDefault()
  next.focus()
  next.click()
}

/** What is said of an object that is not there. */
function Ask({ kind, at, isGone, failure, object }: { kind: Kind; at: string | undefined; isGone: boolean; failure: Error | undefined; object: AnyObject }) {
  if (isGone)
    return (
      <p className="notice">
        {object ? 'It has been deleted.' : at ? `There was no such ${kind.kind} at that moment.` : `There is no such ${kind.kind} now.`}{' '}
        <button type="button" className="link" onClick={() => setQuery({ tab: 'history' })}>Its history</button> tells when it was there, and who deleted it.
      </p>
    )
  return failure && !object ? <Failure error={failure} what="It cannot be shown" /> : null
}

function Health({ object, isGone }: { readonly object: AnyObject; readonly isGone: boolean }) {
  const { at } = useCluster()
  const ms = useMomentMs(at)
  const { tone, text } = healthOf(object, isGone)
  return (
    <>
      <span className={`status ${tone}`}>{text}</span>
      {at && ms !== undefined && <span className="chip past">as of #{at}</span>}
    </>
  )
}

export function healthOf(object: AnyObject, isGone = false): { readonly tone: string; readonly text: string } {
  if (isGone) return { tone: 'bad', text: 'deleted' }
  if (object.metadata.deletionTimestamp) return { tone: 'warn', text: 'Terminating' }
  const { status = {}, spec = {} } = object
  const waiting = status.containerStatuses?.map((one: AnyObject) => one.state?.waiting?.reason).find(Boolean)
  if (waiting) return { tone: /BackOff|Err/.test(waiting) ? 'bad' : 'warn', text: waiting }
  if (typeof status.phase === 'string')
    return { tone: /^(Running|Active|Bound|Available)$/.test(status.phase) ? 'good' : /^(Failed|Lost|Unknown)$/.test(status.phase) ? 'bad' : status.phase === 'Succeeded' ? 'calm' : 'warn', text: status.phase }
  if (typeof spec.replicas === 'number') {
    const ready = status.readyReplicas ?? 0
    return { tone: ready >= spec.replicas ? 'good' : 'warn', text: `${ready}/${spec.replicas} ready` }
  }
  const condition = status.conditions?.find?.(({ type }: AnyObject) => /^(Ready|Available|Complete|Established)$/.test(type))
  if (condition) return { tone: condition.status === 'True' ? 'good' : 'bad', text: condition.status === 'True' ? condition.type : `not ${condition.type}` }
  return { tone: 'calm', text: 'there' }
}
