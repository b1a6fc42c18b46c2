// What an object is, at a glance.
import type { ReactNode } from 'react'
import { kindOf, useCluster } from '../cluster-state.ts'
import type { AnyObject } from '../data/actions.ts'
import { objectHref } from '../data/place.ts'
import { forwardsOf } from '../data/ports.ts'
import { useMomentMs } from '../data/timeline.ts'
import { CopyText } from '../parts/copy.tsx'
import { Link } from '../parts/link.tsx'
import { Moment } from '../parts/moment.tsx'
import type { TabProps } from './object.tsx'

export function SummaryTab({ object, kind }: TabProps) {
  const { at } = useCluster()
  const { metadata, spec = {}, status = {} } = object
  const forwards = at ? [] : forwardsOf(kind, object)
  return (
    <div className="cards">
      <Card title="About">
        <dl>
          <Fact name="Created">
            <Age iso={metadata.creationTimestamp} />
          </Fact>
          <Fact name="Controlled by"><Owners object={object} /></Fact>
          {factsOf(object).map(([name, value]) => (
            <Fact key={name} name={name}>{value}</Fact>
          ))}
          <Fact name="UID"><code>{metadata.uid}</code></Fact>
          <Fact name="Version"><code>#{metadata.resourceVersion}</code></Fact>
        </dl>
      </Card>
      {Array.isArray(status.conditions) && status.conditions.length > 0 && <Conditions conditions={status.conditions} />}
      {kind.resource === 'pods' && <Containers spec={spec} status={status} />}
      {forwards.length > 0 && (
        <Card title="Reach it from your machine">
          <dl>{forwards.map(({ title, command }) => <Fact key={command} name={title}><CopyText text={command} /></Fact>)}</dl>
        </Card>
      )}
      <Pairs title="Labels" pairs={metadata.labels} />
      <Pairs title="Annotations" pairs={metadata.annotations} />
      {kind.resource === 'configmaps' && <Pairs title="Data" pairs={object.data} isCode />}
      {kind.resource === 'secrets' && <Keys data={object.data} />}
      {spec.template?.spec?.containers && <Containers spec={spec.template.spec} status={{}} />}
    </div>
  )
}

function Age({ iso }: { readonly iso: string | undefined }) {
  const { at } = useCluster()
  const ms = useMomentMs(at)
  return iso ? <Moment ms={Date.parse(iso)} now={at ? ms : undefined} /> : null
}

const Card = ({ title, children }: { readonly title: string; readonly children: ReactNode }) => (
  <section className="card">
    <h2>{title}</h2>
    {children}
  </section>
)

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  if (children === undefined || children === null || children === '') return null
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function Owners({ object }: { readonly object: AnyObject }) {
  const { kinds } = useCluster()
  const owner = object.metadata.ownerReferences?.[0]
  if (!owner) return <span className="quiet">nobody</span>
  const kind = kindOf(kinds, owner.apiVersion, owner.kind)
  const text = `${owner.kind}/${owner.name}`
  return kind ? <Link href={objectHref({ ...kind, namespace: kind.namespaced ? object.metadata.namespace : '', name: owner.name })}>{text}</Link> : text
}

/** Fields that people look for first, of the kinds that have them. */
function factsOf({ spec = {}, status = {}, type, data, roleRef, subjects, provisioner }: AnyObject): [string, ReactNode][] {
  const facts: [string, ReactNode | undefined][] = [
    ['Node', spec.nodeName && <NodeLink name={spec.nodeName} />],
    ['Pod IP', status.podIP],
    ['QoS class', status.qosClass],
    ['Service account', spec.serviceAccountName],
    ['Priority', spec.priority],
    ['Replicas', spec.replicas !== undefined ? `${spec.replicas} wanted, ${status.readyReplicas ?? 0} ready` : undefined],
    ['Strategy', spec.strategy?.type ?? spec.updateStrategy?.type],
    ['Selector', spec.selector && !Array.isArray(spec.selector) ? selectorText(spec.selector) : undefined],
    ['Type', typeof type === 'string' ? type : spec.type],
    ['Cluster IP', spec.clusterIP],
    ['Ports', spec.ports?.map((port: AnyObject) => `${port.name ? `${port.name} ` : ''}${port.port}→${port.targetPort}/${port.protocol}`).join(', ')],
    ['Schedule', spec.schedule],
    ['Completions', spec.completions !== undefined ? `${status.succeeded ?? 0} of ${spec.completions}` : undefined],
    ['Capacity', status.capacity && Object.entries(status.capacity).map(([name, amount]) => `${name} ${amount}`).join(', ')],
    ['Unschedulable', spec.unschedulable ? 'yes: cordoned' : undefined],
    ['Taints', spec.taints?.map((taint: AnyObject) => `${taint.key}${taint.value ? `=${taint.value}` : ''}:${taint.effect}`).join(', ')],
    ['Pod CIDR', spec.podCIDR],
    ['Kubelet', status.nodeInfo?.kubeletVersion],
    ['Role', roleRef && `${roleRef.kind}/${roleRef.name}`],
    ['Subjects', subjects?.map((one: AnyObject) => `${one.kind} ${one.namespace ? `${one.namespace}/` : ''}${one.name}`).join(', ')],
    ['Provisioner', provisioner],
    ['Keys', data ? Object.keys(data).length : undefined],
  ]
  return facts.filter(([, value]) => value !== undefined && value !== '') as [string, ReactNode][]
}

const selectorText = (selector: AnyObject): string =>
  Object.entries(selector.matchLabels ?? (selector.matchExpressions ? {} : selector)).map(([key, value]) => `${key}=${value}`).join(', ') || JSON.stringify(selector)

export const NodeLink = ({ name }: { readonly name: string }) => (
  <Link href={objectHref({ group: '', version: 'v1', resource: 'nodes', namespace: '', name })}>{name}</Link>
)

function Conditions({ conditions }: { readonly conditions: readonly AnyObject[] }) {
  // Of these True is bad news.
  const isInverse = (type: string): boolean => /(Pressure|Failed|Failure|Unavailable|Terminating|Dangling|NonStructural)$/.test(type)
  return (
    <Card title="Conditions">
      <table className="plain conditions">
        <tbody>
          {conditions.map(({ type, status, reason, message, lastTransitionTime }) => (
            <tr key={type}>
              <th scope="row">
                <span className={`status ${(status === 'True') !== isInverse(type) ? 'good' : status === 'Unknown' ? 'warn' : 'bad'}`}>{type}</span>
              </th>
              <td>{status}</td>
              <td title={message}>
                {reason}
                {message && <span className="quiet block">{message}</span>}
              </td>
              <td className="number"><Age iso={lastTransitionTime} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  )
}

function Containers({ spec, status }: { readonly spec: AnyObject; readonly status: AnyObject }) {
  const all = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const states = new Map<string, AnyObject>([...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].map((one: AnyObject) => [one.name, one]))
  return (
    <Card title="Containers">
      <table className="plain">
        <thead>
          <tr><th>Name</th><th>Image</th><th>State</th><th className="number">Restarts</th><th>Requests</th></tr>
        </thead>
        <tbody>
          {all.map((one) => {
            const state = states.get(one.name)
            const [name, detail] = Object.entries<AnyObject>(state?.state ?? {})[0] ?? ['', {}]
            const tone = name === 'running' ? 'good' : name === 'waiting' ? 'warn' : detail?.exitCode ? 'bad' : 'calm'
            return (
              <tr key={one.name}>
                <th scope="row">{one.name}</th>
                <td><code>{one.image}</code></td>
                <td>{name && <span className={`status ${tone}`} title={detail?.message}>{detail?.reason ?? name}</span>}</td>
                <td className="number">{state?.restartCount ?? ''}</td>
                <td>{Object.entries(one.resources?.requests ?? {}).map(([what, amount]) => `${what} ${amount}`).join(', ')}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Card>
  )
}

function Pairs({ title, pairs, isCode = false }: { readonly title: string; readonly pairs: Record<string, string> | undefined; readonly isCode?: boolean }) {
  const entries = Object.entries(pairs ?? {}).filter(([key]) => key !== 'kubectl.kubernetes.io/last-applied-configuration')
  if (entries.length === 0) return null
  return (
    <Card title={title}>
      <dl className={isCode ? 'code-pairs' : 'pairs'}>
        {entries.map(([key, value]) => (
          <Fact key={key} name={key}>{isCode ? <pre>{value}</pre> : <span>{value || <span className="quiet">(empty)</span>}</span>}</Fact>
        ))}
      </dl>
    </Card>
  )
}

/** Of a Secret its keys; what it holds is in the YAML, for those who want it. */
const Keys = ({ data = {} }: { readonly data?: Record<string, string> }) => (
  <Card title="Data">
    <dl className="pairs">
      {Object.entries(data).map(([key, value]) => (
        <Fact key={key} name={key}>{Math.floor((value.length * 3) / 4)} bytes</Fact>
      ))}
    </dl>
  </Card>
)
