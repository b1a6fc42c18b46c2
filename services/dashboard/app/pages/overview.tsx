// The cluster at a glance: is it well, how fast does its log grow, how full are its nodes.
import { type ReactNode, useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import type { AnyObject } from '../data/actions.ts'
import { ask, askJson, asOf } from '../data/api.ts'
import { parseMetrics, type Sample, sumOf } from '../data/metrics.ts'
import { hrefOf, objectHref } from '../data/place.ts'
import { bytesText, quantity } from '../data/quantity.ts'
import { durationText } from '../data/time.ts'
import { useTimeline } from '../data/timeline.ts'
import { Link } from '../parts/link.tsx'
import { Empty, Failure, Loading } from '../parts/messages.tsx'
import { healthOf } from './object.tsx'

const refreshMs = 4_000
/** So many times as long as an answer took is waited before it is asked for again. */
const slowness = 20

/** Asks again and again while the page is looked at; once for the past. */
export function usePolled<T>(load: () => Promise<T>, key: string, isLive: boolean): { readonly value: T | undefined; readonly failure: Error | undefined } {
  const [state, setState] = useState<{ value: T | undefined; failure: Error | undefined }>({ value: undefined, failure: undefined })
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key tells what is asked
  useEffect(() => {
    let isWanted = true
    let timer: number | undefined
    // One after the other, and the more seldom the longer an answer takes: of a large cluster it is large.
    const run = async (): Promise<void> => {
      const beganMs = performance.now()
      if (!document.hidden) await load().then((value) => isWanted && setState({ value, failure: undefined }), (failure: Error) => isWanted && setState((before) => ({ ...before, failure })))
      if (isWanted && isLive) timer = window.setTimeout(run, Math.max(refreshMs, slowness * (performance.now() - beganMs)))
    }
    void run()
    return () => {
      isWanted = false
      window.clearTimeout(timer)
    }
  }, [key, isLive])
  return state
}

/** Whole pods are large: beyond these the page tells of a part, and says so. */
const podsMax = 2_000

export function Overview() {
  const { at } = useCluster()
  const nodes = usePolled(() => askJson(asOf(at, '/api/v1/nodes')), `nodes ${at}`, !at)
  const pods = usePolled(() => askJson(asOf(at, `/api/v1/pods?limit=${podsMax}`)), `pods ${at}`, !at)
  return (
    <section className="page overview">
      <header className="page-head">
        <h1>Cluster</h1>
        {at && <span className="chip past">as of {/^\d+$/.test(at) ? `#${at}` : at}</span>}
      </header>
      <div className="tiles">
        <LogTile />
        <PodsTile pods={pods.value?.items} more={pods.value?.metadata.remainingItemCount} />
        <RequestsTile nodes={nodes.value?.items} pods={pods.value?.items} resource="cpu" title="CPU requested" />
        <RequestsTile nodes={nodes.value?.items} pods={pods.value?.items} resource="memory" title="Memory requested" />
      </div>
      <h2 className="section-title">Nodes <span className="quiet">each block is a pod, as wide as what it requests</span></h2>
      {nodes.failure && !nodes.value ? <Failure error={nodes.failure} what="Nodes cannot be shown" /> : !nodes.value ? <Loading what="nodes" /> : nodes.value.items.length === 0 ? <Empty>There are no nodes{at ? ' at that moment' : ''}.</Empty> : <Nodes nodes={nodes.value.items} pods={pods.value?.items ?? []} />}
      {!at && <Health />}
    </section>
  )
}

const Tile = ({ title, value, children }: { readonly title: string; readonly value: ReactNode; readonly children?: ReactNode }) => (
  <section className="tile">
    <h2>{title}</h2>
    <p className="tile-value">{value}</p>
    <div className="tile-more">{children}</div>
  </section>
)

function LogTile() {
  const timeline = useTimeline()
  if (!timeline) return <Tile title="Log" value="…" />
  const { marks, newest, oldest } = timeline
  const last = marks.at(-1)!
  const minute = marks.find(({ ms }) => ms > last.ms - 60_000) ?? last
  const perSecond = last.ms > minute.ms ? ((last.sequence - minute.sequence) * 1_000) / (last.ms - minute.ms) : 0
  return (
    <Tile title="Log" value={<>#{newest}</>}>
      {perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} changes a second, back to #{oldest}, {durationText(last.ms - marks[0]!.ms)} of past
    </Tile>
  )
}

function PodsTile({ pods, more = 0 }: { readonly pods: readonly AnyObject[] | undefined; readonly more?: number }) {
  if (!pods) return <Tile title="Pods" value="…" />
  const tones = Map.groupBy(pods, (pod) => healthOf(pod).tone)
  const count = (tone: string): number => tones.get(tone)?.length ?? 0
  return (
    <Tile title="Pods" value={pods.length + more}>
      {more > 0 && <>of the first {pods.length}: </>}<span className="good-text">{count('good')} running</span>, <span className={count('warn') ? 'warn-text' : ''}>{count('warn')} waiting</span>, <span className={count('bad') ? 'bad-text' : ''}>{count('bad')} failing</span>
    </Tile>
  )
}

export const requestOf = (pod: AnyObject, resource: string): number =>
  /^(Succeeded|Failed)$/.test(pod.status?.phase ?? '') ? 0 : (pod.spec?.containers ?? []).reduce((sum: number, one: AnyObject) => sum + quantity(one.resources?.requests?.[resource]), 0)

function RequestsTile({ nodes, pods, resource, title }: { readonly nodes: readonly AnyObject[] | undefined; readonly pods: readonly AnyObject[] | undefined; readonly resource: string; readonly title: string }) {
  if (!nodes || !pods) return <Tile title={title} value="…" />
  const all = nodes.reduce((sum, node) => sum + quantity(node.status?.allocatable?.[resource]), 0)
  const wanted = pods.filter(({ spec }) => spec?.nodeName).reduce((sum, pod) => sum + requestOf(pod, resource), 0)
  const percent = all === 0 ? 0 : (100 * wanted) / all
  const text = (amount: number): string => (resource === 'cpu' ? String(Number(amount.toFixed(2))) : bytesText(amount))
  return (
    <Tile title={title} value={`${percent.toFixed(percent < 10 ? 1 : 0)} %`}>
      <meter min={0} max={100} high={90} value={percent} aria-label={title} />
      {text(wanted)} of {text(all)}
    </Tile>
  )
}

const nodesShown = 200

function Nodes({ nodes, pods }: { readonly nodes: readonly AnyObject[]; readonly pods: readonly AnyObject[] }) {
  const byNode = Map.groupBy(pods, (pod) => pod.spec?.nodeName ?? '')
  const waiting = byNode.get('') ?? []
  return (
    <div className="nodes">
      {nodes.slice(0, nodesShown).map((node) => (
        <NodeBlock key={node.metadata.uid} node={node} pods={byNode.get(node.metadata.name) ?? []} />
      ))}
      {waiting.length > 0 && (
        <section className="node waiting">
          <header><h3>waiting for a node</h3><span className="count">{waiting.length}</span></header>
          <div className="pod-blocks">{waiting.map((pod) => <PodBlock key={pod.metadata.uid} pod={pod} share={0} />)}</div>
        </section>
      )}
      {nodes.length > nodesShown && <p className="quiet">and {nodes.length - nodesShown} more</p>}
    </div>
  )
}

function NodeBlock({ node, pods }: { readonly node: AnyObject; readonly pods: readonly AnyObject[] }) {
  const { metadata, status = {}, spec = {} } = node
  const cpu = quantity(status.allocatable?.cpu)
  const memory = quantity(status.allocatable?.memory)
  const share = (pod: AnyObject): number => Math.max(cpu ? requestOf(pod, 'cpu') / cpu : 0, memory ? requestOf(pod, 'memory') / memory : 0)
  const used = (resource: string, of: number): number => (of ? Math.min(100, (100 * pods.reduce((sum, pod) => sum + requestOf(pod, resource), 0)) / of) : 0)
  const { tone, text } = healthOf(node)
  return (
    <section className="node">
      <header>
        <h3><Link href={objectHref({ group: '', version: 'v1', resource: 'nodes', namespace: '', name: metadata.name })} title={metadata.name}>{metadata.name}</Link></h3>
        {spec.unschedulable && <span className="chip warn">cordoned</span>}
        <span className={`status ${tone}`}>{text}</span>
      </header>
      <div className="pod-blocks">
        {pods.map((pod) => <PodBlock key={pod.metadata.uid} pod={pod} share={share(pod)} />)}
        {pods.length === 0 && <span className="quiet">no pods</span>}
      </div>
      <footer>
        <span>cpu <meter min={0} max={100} high={90} value={used('cpu', cpu)} aria-label={`CPU requested on ${metadata.name}`} /></span>
        <span>mem <meter min={0} max={100} high={90} value={used('memory', memory)} aria-label={`Memory requested on ${metadata.name}`} /></span>
        <span className="quiet">{pods.length} of {status.allocatable?.pods ?? '?'} pods</span>
      </footer>
    </section>
  )
}

function PodBlock({ pod, share }: { readonly pod: AnyObject; readonly share: number }) {
  const { namespace, name } = pod.metadata
  const { tone, text } = healthOf(pod)
  const width = Math.max(11, Math.round(Math.min(1, share) * 220))
  return (
    <span className={`pod-block ${tone}`} style={{ width }}>
      <Link href={objectHref({ group: '', version: 'v1', resource: 'pods', namespace, name })} title={`${namespace}/${name}: ${text}`}>
        <span className="visually-hidden">{name}</span>
      </Link>
    </span>
  )
}

function Health() {
  const checks = usePolled(async () => (await fetch('/readyz?verbose').then((response) => response.text())).split('\n').filter((line) => /^\[/.test(line)), 'readyz', true)
  const metrics = usePolled(async () => parseMetrics(await (await ask('/metrics')).text()), 'metrics', true)
  const parts = usePolled(() => askJson('/api/v1/namespaces/kube-system/pods?labelSelector=tier%3Dcontrol-plane'), 'parts', true)
  return (
    <>
      <h2 className="section-title">Control plane</h2>
      <div className="cards">
        <section className="card">
          <h2>Checks of the gateway</h2>
          <ul className="checks">
            {(checks.value ?? []).map((line) => {
              const [, mark, name, rest] = /^\[([+-])\](\S+) (.*)$/.exec(line) ?? []
              return <li key={line}><span className={`status ${mark === '+' ? 'good' : 'bad'}`}>{name}</span> <span className="quiet">{rest?.replace(/^ok:? ?/, '')}</span></li>
            })}
          </ul>
        </section>
        {parts.value?.items.length > 0 && (
          <section className="card">
            <h2>Parts</h2>
            <ul className="checks">
              {parts.value.items.map((pod: AnyObject) => (
                <li key={pod.metadata.uid}>
                  <span className={`status ${healthOf(pod).tone}`}>{pod.metadata.labels?.component ?? pod.metadata.name}</span>{' '}
                  <Link href={objectHref({ group: '', version: 'v1', resource: 'pods', namespace: 'kube-system', name: pod.metadata.name })}>{healthOf(pod).text}</Link>
                </li>
              ))}
            </ul>
          </section>
        )}
        <section className="card">
          <h2>Numbers</h2>
          {metrics.failure && !metrics.value ? <p className="quiet">{metrics.failure.message}</p> : metrics.value ? <Numbers samples={metrics.value} /> : <Loading what="metrics" />}
        </section>
      </div>
      <p className="quiet">More: <Link href={hrefOf(['sql'])}>ask in SQL</Link>, <Link href={hrefOf(['map'])}>see who belongs to whom</Link>.</p>
    </>
  )
}

function Numbers({ samples }: { readonly samples: readonly Sample[] }) {
  const streams = samples.filter(({ name }) => name === 'shiplog_projector_lag_events')
  const projections = samples.filter(({ name }) => name === 'shiplog_projection_sequence')
  const facts: [string, ReactNode][] = [
    ['Requests answered', sumOf(samples, 'apiserver_request_total').toLocaleString('en')],
    ['In flight', sumOf(samples, 'apiserver_current_inflight_requests')],
    ['Watches', sumOf(samples, 'apiserver_longrunning_requests', { verb: 'WATCH' })],
    ['Pods waiting to be scheduled', sumOf(samples, 'scheduler_pending_pods')],
    ['Keys waiting for controllers', sumOf(samples, 'workqueue_depth')],
    ['Memory', bytesText(sumOf(samples, 'process_resident_memory_bytes'))],
    ['CPU used', `${sumOf(samples, 'process_cpu_seconds_total').toFixed(0)} s`],
    ...projections.map(({ labels, value }): [string, ReactNode] => [`Projection of ${labels['stream'] ?? labels['projection'] ?? 'the log'}`, `#${value}`]),
    ...streams.map(({ labels, value }): [string, ReactNode] => [`SQL: ${labels['stream']}`, value === 0 ? 'up to date' : `${value} events behind`]),
  ]
  return (
    <dl className="pairs">
      {facts.map(([name, value]) => (
        <div key={name} className="pair"><dt>{name}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  )
}
