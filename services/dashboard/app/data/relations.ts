// Who belongs to whom: owners by their references, selectors by labels, mounts by names, routes by what they name.
import type { AnyObject } from './actions.ts'
import { askJson, asOf } from './api.ts'
import { type Kind, keyOf, listPath, objectPath } from './kinds.ts'
import { selects } from './selectors.ts'

export interface Neighbour {
  readonly how: string
  readonly kind: Kind
  readonly object: AnyObject
}

/** Kinds whose objects are looked through for what an object owns, or who selects it. */
const ownedKinds = ['replicasets.apps', 'pods', 'jobs.batch', 'endpointslices.discovery.k8s.io', 'persistentvolumeclaims', 'controllerrevisions.apps']
const perListMax = 1_000

type Kinds = readonly Kind[]
const named = (kinds: Kinds, key: string): Kind | undefined => kinds.find((kind) => keyOf(kind) === key)

/** What is forbidden or not served is left out. */
async function listOf(kinds: Kinds, key: string, namespace: string, at: string | undefined): Promise<readonly AnyObject[]> {
  const kind = named(kinds, key)
  if (!kind) return []
  return await askJson(asOf(at, `${listPath(kind, namespace)}?limit=${perListMax}`)).then(({ items }) => items ?? [], () => [])
}

const matches = (selector: Record<string, string> | undefined, labels: Record<string, string> | undefined): boolean =>
  selector !== undefined && Object.keys(selector).length > 0 && Object.entries(selector).every(([key, value]) => labels?.[key] === value)

export async function neighboursOf(kinds: Kinds, kind: Kind, object: AnyObject, at: string | undefined): Promise<readonly Neighbour[]> {
  const { namespace = '', uid, name, labels, ownerReferences = [] } = object.metadata
  const found: Neighbour[] = []
  const add = (how: string, key: string, some: readonly AnyObject[]): void => {
    const other = named(kinds, key)
    if (other) for (const one of some) found.push({ how, kind: other, object: one })
  }
  const fetchNamed = async (how: string, key: string, names: readonly string[], where = namespace): Promise<void> => {
    const other = named(kinds, key)
    if (!other) return
    for (const one of new Set(names)) {
      const there = await askJson(asOf(at, objectPath(other, where, one))).catch(() => undefined)
      if (there) found.push({ how, kind: other, object: there })
    }
  }
  for (const owner of ownerReferences) {
    const group = owner.apiVersion.includes('/') ? owner.apiVersion.split('/')[0] : ''
    const other = kinds.find((one) => one.group === group && one.kind === owner.kind)
    if (other) await fetchNamed('Owned by', keyOf(other), [owner.name], other.namespaced ? namespace : '')
  }
  if (namespace !== '') {
    for (const key of ownedKinds) {
      const all = await listOf(kinds, key, namespace, at)
      add('Owns', key, all.filter(({ metadata }) => metadata.ownerReferences?.some((owner: AnyObject) => owner.uid === uid)))
      if (kind.resource === 'services' && key === 'pods') add('Selects', key, all.filter(({ metadata }) => matches(object.spec?.selector, metadata.labels)))
      if (kind.resource === 'networkpolicies' && key === 'pods') add('Applies to', key, all.filter(({ metadata }) => selects(object.spec?.podSelector ?? {}, metadata.labels)))
      if (/^(configmaps|secrets|persistentvolumeclaims)$/.test(kind.resource) && key === 'pods') add('Used by', key, all.filter(({ spec }) => namesIn(spec, kind.resource).includes(name)))
    }
  }
  if (kind.resource === 'pods') {
    const { spec } = object
    add('Selected by', 'services', (await listOf(kinds, 'services', namespace, at)).filter((service) => matches(service.spec?.selector, labels)))
    for (const resource of ['configmaps', 'secrets', 'persistentvolumeclaims']) await fetchNamed('Mounts and reads', resource, namesIn(spec, resource))
    if (spec?.nodeName) await fetchNamed('Runs on', 'nodes', [spec.nodeName], '')
    if (spec?.serviceAccountName) await fetchNamed('Acts as', 'serviceaccounts', [spec.serviceAccountName])
  }
  if (kind.resource === 'services') {
    const routes = (await listOf(kinds, 'ingresses.networking.k8s.io', namespace, at)).filter((one) => JSON.stringify(one.spec ?? {}).includes(`"service":{"name":${JSON.stringify(name)}`))
    add('Routed to by', 'ingresses.networking.k8s.io', routes)
  }
  if (kind.resource === 'ingresses') {
    const names = (object.spec?.rules ?? []).flatMap((rule: AnyObject) => (rule.http?.paths ?? []).map((path: AnyObject) => path.backend?.service?.name)).filter(Boolean)
    await fetchNamed('Routes to', 'services', names)
  }
  if (kind.resource === 'nodes' && kind.group === '') {
    const there = await askJson(asOf(at, `/api/v1/pods?limit=${perListMax}&fieldSelector=${encodeURIComponent(`spec.nodeName=${name}`)}`)).then(({ items }) => items, () => [])
    add('Runs', 'pods', there)
  }
  return found
}

/** Names of ConfigMaps, Secrets or claims in a pod's spec. */
export function namesIn(spec: AnyObject, resource: string): string[] {
  const names: (string | undefined)[] = []
  for (const volume of spec?.volumes ?? []) {
    if (resource === 'configmaps') names.push(volume.configMap?.name)
    if (resource === 'secrets') names.push(volume.secret?.secretName)
    if (resource === 'persistentvolumeclaims') names.push(volume.persistentVolumeClaim?.claimName)
    for (const source of volume.projected?.sources ?? []) names.push(resource === 'configmaps' ? source.configMap?.name : resource === 'secrets' ? source.secret?.name : undefined)
  }
  for (const container of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]) {
    const key = resource === 'configmaps' ? 'configMap' : 'secret'
    for (const from of container.envFrom ?? []) names.push(from[`${key}Ref`]?.name)
    for (const variable of container.env ?? []) names.push(variable.valueFrom?.[`${key}KeyRef`]?.name)
  }
  return names.filter((name): name is string => name !== undefined)
}
