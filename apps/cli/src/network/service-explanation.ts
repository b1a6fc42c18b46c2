// Who receives the traffic of a Service, and why others do not: readiness, policies of traffic, hints, NetworkPolicies. By the
// functions that the proxy and the enforcement of policies decide with, so that what is told is what is done. Pure.
import type { Node, Pod, Service, ServicePort } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { compileLabelMap } from '@shiplog/api/selectors'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { chooseEndpoints, type Endpoint, endpointsOf, isLocalInside, isLocalOutside, isReachedFromOutside } from '@shiplog/kube-proxy/endpoints'
import { createServiceView, type ServiceView } from '@shiplog/kube-proxy/service-view'
import { createPolicyView, type PolicyView } from '@shiplog/network-policy/policy-view'
import { type KeptAway, keptAwayBy, type Party } from '@shiplog/network-policy/verdict'
import type { Protocol } from '@shiplog/node/packet-filter/statements'

export interface ExplainedEndpoint {
  readonly address: string
  readonly port: number
  readonly pod: string | undefined
  readonly node: string | undefined
  readonly receives: boolean
  /** Why it receives nothing, or less than all. */
  readonly reasons: readonly string[]
}

export interface ExplainedPort {
  readonly name: string
  readonly port: number
  readonly protocol: string
  readonly endpoints: readonly ExplainedEndpoint[]
  /** Where the nodes differ: what goes where from each. */
  readonly byNode: readonly { readonly node: string; readonly inside: readonly string[]; readonly outside: readonly string[] | undefined }[]
}

export interface ExplainedService {
  readonly namespace: string
  readonly name: string
  readonly type: string
  readonly addresses: readonly string[]
  readonly notes: readonly string[]
  readonly ports: readonly ExplainedPort[]
  /** Pods that the selector means and that are no endpoints. */
  readonly without: readonly { readonly pod: string; readonly reason: string }[]
}

export interface NetworkWorld {
  /** `services`, `pods` and so on to their objects. */
  readonly objects: ReadonlyMap<string, readonly JsonObject[]>
}

interface Looked {
  readonly service: Service
  readonly view: ServiceView
  readonly policies: PolicyView
  readonly nodes: readonly Node[]
  readonly pods: readonly Pod[]
  readonly from: Pod | undefined
}

export const networkResources = [
  ...['services', 'pods', 'namespaces', 'nodes', 'endpointslices.discovery.k8s.io', 'networkpolicies.networking.k8s.io'],
] as const

/** Throws where there is no such Service, or no such pod that asks. */
export function explainService(
  { objects }: NetworkWorld,
  { namespace, name, from }: { readonly namespace: string; readonly name: string; readonly from?: string | undefined },
): ExplainedService {
  const [view, policies] = [createServiceView(), createPolicyView()]
  for (const [groupResource, list] of objects)
    for (const object of list) {
      const change = { groupResource, object, deleted: false } as unknown as ObjectChange
      view.apply(change)
      if (['pods', 'namespaces', 'networkpolicies.networking.k8s.io'].includes(groupResource)) policies.apply(change)
    }
  const service = view.services.get(`${namespace}/${name}`)
  if (service === undefined) throw new Error(`services "${name}" not found in namespace ${namespace}`)
  const pods = (objects.get('pods') ?? []) as unknown as readonly Pod[]
  const caller = from === undefined ? undefined : pods.find(({ metadata }) => metadata.namespace === namespace && metadata.name === from)
  if (from !== undefined && caller === undefined) throw new Error(`pods "${from}" not found in namespace ${namespace}`)
  const nodes = (objects.get('nodes') ?? []) as unknown as readonly Node[]
  const looked: Looked = { service, view, policies, nodes, pods, from: caller }
  const { spec = {}, status } = service
  return {
    ...{ namespace, name, type: spec.type ?? 'ClusterIP' },
    addresses: [
      ...(spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])),
      ...(spec.externalIPs ?? []),
      ...(status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []),
    ],
    notes: notesOf(service),
    ports: (spec.ports ?? []).map((port) => explainPort(looked, port)),
    without: podsWithout(looked),
  }
}

function notesOf(service: Service): string[] {
  const { spec = {}, status } = service
  const selector = Object.entries(spec.selector ?? {})
  return [
    ...(spec.type === 'ExternalName' ? [`is another name of ${spec.externalName}: no traffic passes by it`] : []),
    ...(spec.clusterIP === 'None' ? ['has no address: names lead to the pods themselves, and no proxy takes part'] : []),
    ...(spec.type !== 'ExternalName' && selector.length === 0 ? ['has no selector: somebody else makes its endpoints'] : []),
    ...(isLocalInside(service) ? ['internalTrafficPolicy is Local: from inside only endpoints of the same node are reached'] : []),
    ...(isLocalOutside(service) ? ['externalTrafficPolicy is Local: from outside only endpoints of the node that is called'] : []),
    ...(spec.sessionAffinity === 'ClientIP' ? ['sessionAffinity is ClientIP: whoever came before goes to the same endpoint'] : []),
    ...(spec.type === 'LoadBalancer' && (status?.loadBalancer?.ingress ?? []).length === 0
      ? ['waits for an address of a load balancer: kubectl describe shows why']
      : []),
  ]
}

const endpointText = ({ address, port }: Endpoint): string => `${address}:${port}`

function explainPort(looked: Looked, port: ServicePort): ExplainedPort {
  const { service, view, nodes } = looked
  const all = (['ip', 'ip6'] as const).map((family) => endpointsOf(view.slicesOf(`${service.metadata.namespace}/${service.metadata.name}`), port, family))
  const proxied = nodes.filter(({ spec }) => (spec?.podCIDRs ?? []).length > 0).map(({ metadata }) => metadata.name)
  const byNode = proxied.map((node) => {
    const chosen = all.map((some) => chooseEndpoints(some, view.node(node)))
    const of = (isLocal: boolean): string[] => chosen.flatMap(({ cluster, local }) => (isLocal ? local : cluster)).map(endpointText)
    return { node, inside: of(isLocalInside(service)), outside: isReachedFromOutside(service) ? of(isLocalOutside(service)) : undefined }
  })
  const isSame = new Set(byNode.map(({ inside, outside }) => JSON.stringify([inside, outside]))).size <= 1
  const { name = '', protocol = 'TCP' } = port
  return {
    ...{ name, port: port.port, protocol },
    endpoints: all.flat().map((endpoint) => explainEndpoint(looked, protocol, endpoint, byNode)),
    byNode: isSame ? [] : byNode,
  }
}

function explainEndpoint(looked: Looked, protocol: string, endpoint: Endpoint, byNode: ExplainedPort['byNode']): ExplainedEndpoint {
  const pod = looked.pods.find(({ spec, status }) => !spec.hostNetwork && status?.podIPs?.some(({ ip }) => ip === endpoint.address))
  const text = endpointText(endpoint)
  const reaching = byNode.filter(({ inside, outside }) => inside.includes(text) || outside?.includes(text)).map(({ node }) => node)
  const from = looked.from && byNode.find(({ node }) => node === looked.from!.spec.nodeName)
  const isChosen = from === undefined ? reaching.length > 0 : from.inside.includes(text)
  const kept = pod === undefined ? undefined : policyReason(looked, endpoint, protocol.toLowerCase() as Protocol)
  const reasons = [
    ...(endpoint.isReady ? [] : [readinessReason(endpoint, pod)]),
    ...(endpoint.isReady && !isChosen ? [placeReason(endpoint, looked)] : []),
    ...(endpoint.isReady && isChosen && reaching.length < byNode.length && from === undefined ? [`only from ${reaching.join(', ')}`] : []),
    ...(kept === undefined ? [] : [kept.text]),
  ]
  return {
    ...{ address: endpoint.address, port: endpoint.port, pod: pod?.metadata.name, node: endpoint.nodeName },
    receives: isChosen && kept?.isClosed !== true,
    reasons,
  }
}

function readinessReason({ isServing, isTerminating }: Endpoint, pod: Pod | undefined): string {
  if (isTerminating) return isServing ? 'it ends, and still serves what is there: new traffic goes to it when no other is ready' : 'it ends'
  const ready = pod?.status?.conditions?.find(({ type }) => type === 'Ready')
  return `it is not ready${ready?.message ? `: ${ready.message}` : ready?.reason ? `: ${ready.reason}` : ''}`
}

const placeReason = ({ nodeName, zones, nodes }: Endpoint, { service }: Looked): string =>
  isLocalInside(service) || isLocalOutside(service)
    ? `it is on ${nodeName ?? 'no node'}, and traffic stays on the node`
    : `hints keep it for ${[...nodes, ...zones].join(', ') || 'others'}`

/** What NetworkPolicies mean for an endpoint: for one pod that asks, or for all that there are. */
function policyReason(looked: Looked, endpoint: Endpoint, protocol: Protocol): { readonly text: string; readonly isClosed: boolean } | undefined {
  const target = partyOf(looked, endpoint.address)
  const ask = (from: Party): KeptAway | undefined => keptAwayBy({ from, to: target, protocol, port: endpoint.port })
  const family = endpoint.address.includes(':')
  const addressOf = ({ addresses }: { readonly addresses: readonly string[] }): string | undefined => addresses.find((one) => one.includes(':') === family)
  if (looked.from !== undefined) {
    const address = addressOf(looked.policies.pods.get(looked.from.metadata.uid)!)
    const kept = address === undefined ? undefined : ask(partyOf(looked, address))
    return kept && { text: `${kept.direction} is closed by ${kept.policies.join(', ')}`, isClosed: true }
  }
  const limiting = target.policies.filter(({ rules }) => rules.ingress !== undefined).map(({ key }) => key)
  if (limiting.length === 0) return undefined
  const others = [...looked.policies.pods.values()].filter((pod) => !pod.isOnHostNetwork && pod.uid !== target.pod?.uid && addressOf(pod) !== undefined)
  const able = others.filter((pod) => ask(partyOf(looked, addressOf(pod)!)) === undefined)
  return { text: `ingress is limited by ${limiting.join(', ')}: ${able.length} of ${others.length} other pods may`, isClosed: false }
}

function partyOf({ policies }: Looked, address: string): Party {
  const pod = [...policies.pods.values()].find((one) => !one.isOnHostNetwork && one.addresses.includes(address))
  if (pod === undefined) return { address, pod, namespaceLabels: {}, policies: [] }
  return { address, pod, namespaceLabels: policies.labelsOf(pod.namespace), policies: policies.policiesOf(pod) }
}

function podsWithout({ service, view, pods }: Looked): ExplainedService['without'] {
  const { selector } = service.spec ?? {}
  if (!selector || Object.keys(selector).length === 0) return []
  const wanted = compileLabelMap(selector)
  const { namespace, name } = service.metadata
  const known = new Set(view.slicesOf(`${namespace}/${name}`).flatMap(({ endpoints }) => (endpoints ?? []).map(({ targetRef }) => targetRef?.uid)))
  return pods
    .filter(({ metadata }) => metadata.namespace === namespace && wanted.matches(metadata.labels) && !known.has(metadata.uid))
    .map((pod) => ({ pod: pod.metadata.name, reason: absenceReason(pod) }))
}

function absenceReason({ spec, status }: Pod): string {
  if (['Succeeded', 'Failed'].includes(status?.phase ?? '')) return `it is over (${status!.phase})`
  if (!spec.nodeName) return 'it is on no node yet'
  if ((status?.podIPs ?? []).length === 0) return 'it has no address yet'
  return 'its endpoint is not written yet'
}
