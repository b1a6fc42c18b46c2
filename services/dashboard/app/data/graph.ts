// Resources and what joins them, as a graph for the map.
import type { AnyObject } from './actions.ts'
import { askJson, asOf } from './api.ts'
import { type Kind, keyOf, listPath } from './kinds.ts'
import type { ObjectPlace } from './place.ts'

export interface GraphNode {
  readonly key: string
  readonly kind: string
  readonly title: string
  readonly tone: string
  /** From left to right. */
  readonly column: number
  readonly place?: ObjectPlace
}

export interface GraphEdge {
  readonly from: string
  readonly to: string
  readonly how: 'owns' | 'selects' | 'routes' | 'runs'
}

export interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

const podColumn = 4
const nodeColumn = 5
const columns: Readonly<Record<string, number>> = {
  'ingresses.networking.k8s.io': 0,
  services: 1,
  'cronjobs.batch': 1,
  'deployments.apps': 2,
  'statefulsets.apps': 2,
  'daemonsets.apps': 2,
  'jobs.batch': 2,
  'replicasets.apps': 3,
  pods: podColumn,
  nodes: nodeColumn,
}
/** More pods of one owner than this are one box. */
const podsApartMax = 5
const objectsMax = 3_000

export async function loadGraph(kinds: readonly Kind[], namespace: string, at: string | undefined): Promise<Graph> {
  const wanted = Object.keys(columns).flatMap((key) => kinds.find((kind) => keyOf(kind) === key) ?? [])
  const lists = await Promise.all(
    wanted.map(async (kind) => {
      const items: readonly AnyObject[] = await askJson(asOf(at, `${listPath(kind, namespace)}?limit=${objectsMax}`)).then(({ items }) => items, () => [])
      return { kind, items }
    }),
  )
  const nodes = new Map<string, GraphNode>()
  const edges = new Map<string, GraphEdge>()
  const join = (from: string, to: string, how: GraphEdge['how']): void => void edges.set(`${from} ${to} ${how}`, { from, to, how })
  const objects = lists.flatMap(({ kind, items }) => items.map((object) => ({ kind, object })))
  const byUid = new Map(objects.map((one) => [one.object.metadata.uid as string, one]))
  /** Which box an object is in. */
  const boxOf = new Map<string, string>()
  const pods = objects.filter(({ kind }) => kind.resource === 'pods')
  const ownerOf = (object: AnyObject): string => object.metadata.ownerReferences?.[0]?.uid ?? object.metadata.uid
  for (const [owner, some] of Map.groupBy(pods, ({ object }) => ownerOf(object)))
    if (some.length > podsApartMax) {
      const key = `pods of ${owner}`
      const running = some.filter(({ object }) => object.status?.phase === 'Running').length
      nodes.set(key, { key, kind: 'Pods', title: `${some.length} pods, ${running} running`, tone: running === some.length ? 'good' : 'warn', column: podColumn })
      for (const { object } of some) boxOf.set(object.metadata.uid, key)
    }
  for (const { kind, object } of objects) {
    const { uid, name, namespace: where = '' } = object.metadata
    if (kind.resource === 'replicasets' && object.spec?.replicas === 0 && object.metadata.ownerReferences) continue
    if (boxOf.has(uid)) continue
    boxOf.set(uid, uid)
    nodes.set(uid, { key: uid, kind: kind.kind, title: name, tone: toneOf(object), column: columns[keyOf(kind)]!, place: { ...kind, namespace: where, name } })
  }
  const services = objects.filter(({ kind }) => kind.resource === 'services')
  for (const { object } of objects) {
    const box = boxOf.get(object.metadata.uid)
    for (const owner of object.metadata.ownerReferences ?? []) {
      const above = byUid.has(owner.uid) ? boxOf.get(owner.uid) : undefined
      if (box && above) join(above, box, 'owns')
    }
  }
  const byNamespace = Map.groupBy(objects, ({ object }) => object.metadata.namespace ?? '')
  for (const { object: service } of services) joinService(service, byNamespace.get(service.metadata.namespace) ?? [], (to) => join(service.metadata.uid, to, 'selects'), boxOf)
  for (const { kind, object } of objects)
    if (kind.resource === 'ingresses')
      for (const { object: service } of services)
        if (service.metadata.namespace === object.metadata.namespace && JSON.stringify(object.spec).includes(`"name":${JSON.stringify(service.metadata.name)}`)) join(object.metadata.uid, service.metadata.uid, 'routes')
  const nodeNamed = new Map(objects.filter(({ kind }) => kind.resource === 'nodes').map(({ object }) => [object.metadata.name as string, object.metadata.uid as string]))
  for (const { object } of pods) {
    const node = nodeNamed.get(object.spec?.nodeName ?? '')
    if (node) join(boxOf.get(object.metadata.uid)!, node, 'runs')
  }
  return onlyJoined(nodes, edges)
}

/** To the workload whose pods it selects, where one box says it; else to the pods. */
function joinService(service: AnyObject, here: readonly { kind: Kind; object: AnyObject }[], join: (to: string) => void, boxOf: ReadonlyMap<string, string>): void {
  const selector = Object.entries(service.spec?.selector ?? {})
  if (selector.length === 0) return
  const selects = (labels: Record<string, string> = {}): boolean => selector.every(([key, value]) => labels[key] === value)
  const workloads = here.filter(({ kind, object }) => /^(deployments|statefulsets|daemonsets)$/.test(kind.resource) && selects(object.spec?.template?.metadata?.labels))
  const chosen = workloads.length > 0 ? workloads : here.filter(({ kind, object }) => kind.resource === 'pods' && selects(object.metadata.labels))
  for (const { object } of chosen) {
    const box = boxOf.get(object.metadata.uid)
    if (box) join(box)
  }
}

function onlyJoined(nodes: ReadonlyMap<string, GraphNode>, edges: ReadonlyMap<string, GraphEdge>): Graph {
  const kept = [...edges.values()].filter(({ from, to }) => nodes.has(from) && nodes.has(to))
  const joined = new Set(kept.flatMap(({ from, to }) => [from, to]))
  return { nodes: [...nodes.values()].filter(({ key, column }) => joined.has(key) || (column > 0 && column < nodeColumn)), edges: kept }
}

function toneOf({ status = {}, spec = {}, metadata }: AnyObject): string {
  if (metadata.deletionTimestamp) return 'warn'
  if (status.phase) return /^(Running|Active)$/.test(status.phase) ? 'good' : status.phase === 'Succeeded' ? 'calm' : status.phase === 'Failed' ? 'bad' : 'warn'
  if (typeof spec.replicas === 'number') return (status.readyReplicas ?? 0) >= spec.replicas ? 'good' : 'warn'
  const ready = status.conditions?.find?.(({ type }: AnyObject) => type === 'Ready')
  return ready ? (ready.status === 'True' ? 'good' : 'bad') : 'calm'
}
