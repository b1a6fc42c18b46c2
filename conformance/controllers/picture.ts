// A picture of a namespace that two clusters can have in common: names that were generated, times, uids and addresses are
// blanked, and what is alike is counted.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { Stage } from './play.ts'

/** By resource: `<count> <object as JSON>`, sorted. `events`: each once. */
export type Picture = Readonly<Record<string, readonly string[]>>

/** Takes pictures of one scenario. It remembers the names that it saw: they stand in Events when their objects are gone. */
export function createCamera(stage: Stage, groupResources: readonly string[]): () => Promise<Picture> {
  const names = new Map<string, string>()
  return async () => {
    const objects = new Map<string, readonly KubeObject[]>()
    for (const groupResource of groupResources) objects.set(groupResource, await stage.list(groupResource))
    noteNames(names, [...objects.values()].flat())
    const blank = blankerOf(names, stage.namespace)
    const picture: Record<string, readonly string[]> = {}
    for (const [groupResource, list] of objects) {
      const seen = list.map((object) => inOrder(blank(JSON.stringify(sorted(essenceOf(groupResource, object))))))
      if (seen.length > 0) picture[groupResource] = counted(seen)
    }
    const events = [...new Set((await stage.events()).map((event) => combined(blank(event))))].sort()
    return events.length > 0 ? { ...picture, events } : picture
  }
}

/** Of Events that were gathered because there are so many alike: `combined deployment-controller ScalingReplicaSet`. */
export const combined = (event: string): string =>
  event.includes('(combined from similar events)') ? `combined ${event.split(' ', 2).join(' ')}` : event

function counted(texts: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].map(([text, count]) => `${count} ${text}`).sort()
}

const dropped = ['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'selfLink', 'generateName', 'namespace']

function essenceOf(groupResource: string, object: KubeObject): JsonObject {
  // How often a slice was written depends on what was written together.
  const leftOut = groupResource.startsWith('endpointslices') ? [...dropped, 'generation'] : dropped
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => !leftOut.includes(key)))
  const { kind: _kind, apiVersion: _version, metadata: _metadata, ...rest } = object as unknown as JsonObject
  if (groupResource !== 'pods') return { metadata, ...rest } as JsonObject
  const { spec, status } = object as unknown as { spec: JsonObject; status: JsonObject }
  return { metadata, spec: podSpec(spec), status: podStatus(status) } as JsonObject
}

/** What controllers decide about a pod; all else comes from its template and from admission. */
function podSpec(spec: JsonObject): JsonObject {
  const { affinity, tolerations, hostname, subdomain, restartPolicy, volumes, containers } = spec
  const images = ((containers ?? []) as JsonObject[]).map(({ name, image, env }) => ({ name, image, ...(env ? { env } : {}) }))
  const claims = ((volumes ?? []) as JsonObject[]).filter((volume) => volume['persistentVolumeClaim'])
  const kept = { affinity, tolerations, hostname, subdomain, restartPolicy, volumes: claims, containers: images }
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)) as JsonObject
}

const podStatus = ({ phase, conditions, reason, message }: JsonObject): JsonObject => ({
  ...{ phase, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) },
  conditions: ((conditions ?? []) as JsonObject[])
    .map(({ type, status, reason: why, message: text }) => ({ type, status, ...(why ? { why, text } : {}) }))
    .sort((a, b) => (String(a['type']) < String(b['type']) ? -1 : 1)),
})

/** Lists whose order says nothing. */
const unordered = ['conditions', 'addresses', 'notReadyAddresses', 'endpoints', 'active', 'ownerReferences']

/** Puts them in order: conditions by their type. */
export function inOrder(text: string): string {
  const orderOf = (value: unknown): string => `${(value as { type?: string } | null)?.type ?? ''} ${JSON.stringify(value)}`
  const byText = (a: unknown, b: unknown): number => (orderOf(a) < orderOf(b) ? -1 : 1)
  const order = (value: unknown, key = ''): unknown => {
    if (Array.isArray(value)) {
      const list = value.map((one) => order(one))
      return unordered.includes(key) ? list.sort(byText) : list
    }
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, order(one, name)]))
  }
  return JSON.stringify(order(JSON.parse(text)))
}

/** Keys in order, so that equal objects are equal texts; null and absent are the same. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, one]) => one !== null && one !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sorted(one)]))
}

/** What stands for names, hashes and uids. What was named once keeps that name. */
function noteNames(names: Map<string, string>, objects: readonly KubeObject[]): void {
  for (const object of objects) {
    const { name, uid, labels } = object.metadata
    const blank = names.get(name) ?? blankName(object)
    if (blank !== name) names.set(name, blank)
    names.set(uid, `uid of ${object.kind} ${blank}`)
    const hash = isHashed(object) ? (labels?.['pod-template-hash'] ?? labels?.['controller-revision-hash']) : undefined
    if (hash !== undefined && !names.has(hash)) names.set(hash, `hash of ${blank}`)
  }
}

/** Replaces what differs from cluster to cluster. */
function blankerOf(names: ReadonlyMap<string, string>, namespace: string): (text: string) => string {
  const longestFirst = [...names].sort(([a], [b]) => b.length - a.length)
  return (text) => {
    let result = text
    for (const [name, blank] of longestFirst) result = result.replaceAll(name, blank)
    return (
      result
        .replaceAll(namespace, '(namespace)')
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, '(time)')
        .replace(/\b10\.77\.\d+\.\d+\b/g, '(ip)')
        // What is gone already has no object that would tell its name.
        .replace(/\b((?:[a-z0-9()]+-)+)[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1*')
        .replace(/"resourceVersion":"\d+"/g, '"resourceVersion":"(version)"')
        .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '(uid)')
    )
  }
}

const revision = 'deployment.kubernetes.io/revision'
/** Named by a hash of a template, which is not Go's here. */
const isHashed = ({ kind, metadata }: KubeObject): boolean =>
  kind === 'ReplicaSet' ||
  (kind === 'ControllerRevision' && metadata.ownerReferences?.[0]?.kind === 'DaemonSet')

const generatedBy = ['ReplicaSet', 'ReplicationController', 'Job', 'DaemonSet']

/** The name without what was drawn by chance or taken from the clock. */
function blankName(object: KubeObject): string {
  const { kind, metadata } = object
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)
  if (kind === 'Pod' && owner && generatedBy.includes(owner.kind)) return metadata.name.replace(/-[^-]+$/, '-*')
  // The hash of a template is not Go's; which revision it is says as much.
  if (kind === 'ReplicaSet' && owner) return `${owner.name}-(${metadata.annotations?.[revision]})`
  if (kind === 'ControllerRevision' && owner?.kind === 'DaemonSet') return `${owner.name}-(${object['revision']})`
  if (kind === 'Job' && owner?.kind === 'CronJob') return metadata.name.replace(/-\d+$/, '-(minute)')
  if (kind === 'EndpointSlice') return metadata.name.replace(/-[^-]+$/, '-*')
  return metadata.name
}
