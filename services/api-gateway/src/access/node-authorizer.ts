// What a node's agent may do, as upstream's Node authorizer: it sees its own node, the pods that are bound to it and what
// those refer to, and reports on them. What a create may hold is checked by the admission plugin NodeRestriction, since
// the name of the new object is not known here.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import { nodeOf } from '@shiplog/domain/node-identity'
import type { Access } from './rbac-authorizer.ts'

const leaseNamespace = 'kube-node-lease'
const reads = new Set(['get', 'list', 'watch'])
/** What every node needs to run any pod; none of it is secret. */
const common = new Set(['services', 'csidrivers.storage.k8s.io', 'runtimeclasses.node.k8s.io'])

export interface NodeAuthorizer {
  /** False for everybody who is not a node; others may allow it still. */
  allows(access: Access): boolean
}

export function createNodeAuthorizer(view: AdmissionView): NodeAuthorizer {
  const podsOf = (node: string, namespace: string): readonly KubeObject[] =>
    view.list('pods', namespace).filter((pod) => specOf(pod)['nodeName'] === node)

  const isBoundTo = (node: string, { namespace, name }: Access): boolean => {
    const pod = view.get('pods', namespace, name)
    return pod !== undefined && specOf(pod)['nodeName'] === node
  }

  /** One object, whether by its name or by a selector of it. */
  const soleName = (access: Access): string =>
    access.verb === 'get' ? access.name : (/^metadata\.name=([^,=!]+)$/.exec(access.fieldSelector ?? '')?.[1] ?? '')

  return {
    allows(access) {
      const node = nodeOf(access.user)
      if (node === undefined) return false
      const { verb, namespace, name, subresource } = access
      const groupResource = access.group === '' ? access.resource : `${access.resource}.${access.group}`
      const isWrite = verb === 'update' || verb === 'patch'
      if (common.has(groupResource)) return subresource === '' && reads.has(verb)
      switch (groupResource) {
        case 'events':
        case 'events.events.k8s.io':
          return subresource === '' && (isWrite || verb === 'create')
        case 'nodes':
          if (subresource === 'status') return isWrite && name === node
          if (subresource !== '') return false
          if (verb === 'create') return true
          return reads.has(verb) ? soleName(access) === node : isWrite && name === node
        case 'leases.coordination.k8s.io':
          if (subresource !== '' || namespace !== leaseNamespace) return false
          return verb === 'create' || ((isWrite || verb === 'get' || verb === 'delete') && name === node)
        case 'pods':
          if (subresource === 'status') return isWrite && isBoundTo(node, access)
          if (subresource !== '') return false
          if (verb === 'list' || verb === 'watch') return access.fieldSelector === `spec.nodeName=${node}`
          return (verb === 'get' || verb === 'delete') && isBoundTo(node, access)
        case 'configmaps':
        case 'secrets':
        case 'persistentvolumeclaims': {
          if (subresource !== '' || !reads.has(verb)) return false
          const wanted = soleName(access)
          return (
            wanted !== '' &&
            podsOf(node, namespace).some((pod) => referencesOf(pod, groupResource).some((known) => known === wanted))
          )
        }
        default:
          return false
      }
    },
  }
}

const specOf = (pod: KubeObject): JsonObject => (pod['spec'] ?? {}) as JsonObject

/** Kinds of what pods refer to by name, and a node may read for that reason. */
export const referredKinds = ['configmaps', 'secrets', 'persistentvolumeclaims'] as const

/** Names of the objects of a kind that a pod refers to. */
export function referencesOf(pod: KubeObject, kind: (typeof referredKinds)[number]): string[] {
  const spec = specOf(pod)
  const volumes = (spec['volumes'] ?? []) as JsonObject[]
  if (kind === 'persistentvolumeclaims') {
    return volumes.flatMap((volume) => [
      ...(volume['persistentVolumeClaim'] ? [String(volume['persistentVolumeClaim'].claimName)] : []),
      // A generic ephemeral volume's claim is named after pod and volume.
      ...(volume['ephemeral'] ? [`${pod.metadata.name}-${volume['name']}`] : []),
    ])
  }
  const [ref, keyRef, source] =
    kind === 'secrets'
      ? (['secretRef', 'secretKeyRef', 'secret'] as const)
      : (['configMapRef', 'configMapKeyRef', 'configMap'] as const)
  const names: unknown[] = []
  for (const volume of volumes) {
    names.push(volume[source]?.secretName, volume[source]?.name)
    for (const projected of (volume['projected']?.sources ?? []) as JsonObject[]) names.push(projected[source]?.name)
    if (kind !== 'secrets') continue
    // Volumes of drivers that log in with a secret: under these two names in all of upstream's types.
    for (const value of Object.values(volume)) names.push(value?.secretRef?.name, value?.nodePublishSecretRef?.name)
  }
  if (kind === 'secrets') for (const each of (spec['imagePullSecrets'] ?? []) as JsonObject[]) names.push(each['name'])
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of (spec[list] ?? []) as JsonObject[]) {
      for (const each of (container['envFrom'] ?? []) as JsonObject[]) names.push(each[ref]?.name)
      for (const each of (container['env'] ?? []) as JsonObject[]) names.push(each['valueFrom']?.[keyRef]?.name)
    }
  }
  return names.filter((name): name is string => typeof name === 'string' && name !== '')
}
