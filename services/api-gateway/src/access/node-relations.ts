// How an object has to do with a node: node ← pod ← secret, configmap, claim, account; node ← pod ← claim ← volume ← secret.
import type { PersistentVolume, Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import type { NodeGraph } from './node-graph.ts'
import { type PodReference, referencesOf } from '@shiplog/domain/pod/pod-references'

export interface NodeRelations {
  isBound(node: string, namespace: string, pod: string): boolean
  isReferred(node: string, resource: PodReference['resource'], namespace: string, name: string): boolean
  isVolumeOf(node: string, name: string): boolean
  isSecretOf(node: string, namespace: string, name: string): boolean
}

/** By the graph; by a look at the pods of the namespace while that is being read. */
export function nodeRelations(view: AdmissionView, graph?: NodeGraph): NodeRelations {
  const scan = scanned(view)
  const known = (): Known => {
    if (graph?.isReady) return graph
    void graph?.ready()
    return scan
  }

  function isVolumeOf(node: string, name: string): boolean {
    const claim = volume(view, name)?.spec.claimRef
    return known().isReferred(node, 'persistentvolumeclaims', claim?.namespace ?? '', claim?.name ?? '')
  }

  return {
    isVolumeOf,
    isBound: (...asked) => known().isBound(...asked),
    isReferred: (...asked) => known().isReferred(...asked),
    isSecretOf(node, namespace, name) {
      if (known().isReferred(node, 'secrets', namespace, name)) return true
      for (const claim of known().claimsOf(node)) {
        const [home = '', claimName = ''] = claim.split('/')
        const volumeName = view.get('persistentvolumeclaims', home, claimName)?.['spec']?.volumeName
        const found = volumeName ? volume(view, volumeName) : undefined
        if (!found || !secretsOf(found).has(`${namespace}/${name}`)) continue
        if (isVolumeOf(node, volumeName)) return true
      }
      return false
    },
  }
}

type Known = Pick<NodeGraph, 'isBound' | 'isReferred' | 'claimsOf'>

function scanned(view: AdmissionView): Known {
  const podsOf = (node: string, namespace: string): readonly Pod[] =>
    (view.list('pods', namespace) as readonly (KubeObject & Pod)[]).filter(({ spec }) => spec?.nodeName === node)
  return {
    isBound: (node, namespace, pod) => view.get('pods', namespace, pod)?.['spec']?.nodeName === node,
    isReferred: (node, resource, namespace, name) =>
      // A list of no namespace is one of all.
      namespace !== '' &&
      podsOf(node, namespace).some((pod) =>
        referencesOf(pod).some((each) => each.resource === resource && each.name === name),
      ),
    *claimsOf(node) {
      for (const pod of podsOf(node, '')) {
        for (const { resource, name } of referencesOf(pod))
          if (resource === 'persistentvolumeclaims') yield `${pod.metadata.namespace}/${name}`
      }
    },
  }
}

const volume = (view: AdmissionView, name: string): PersistentVolume | undefined =>
  view.get('persistentvolumes', '', name) as (KubeObject & PersistentVolume) | undefined

/** What drivers of volumes call their secrets. */
interface SecretSource {
  readonly name?: string
  readonly namespace?: string
}
interface WithSecrets {
  readonly secretName?: string
  readonly secretNamespace?: string
  readonly secretRef?: SecretSource
  readonly controllerPublishSecretRef?: SecretSource
  readonly nodeExpandSecretRef?: SecretSource
  readonly nodePublishSecretRef?: SecretSource
  readonly nodeStageSecretRef?: SecretSource
}

/** `<namespace>/<name>` of the secrets that a volume is mounted with; in the claim's namespace where none is said. */
function secretsOf({ spec }: PersistentVolume): Set<string> {
  const home = spec.claimRef?.namespace ?? ''
  const found = new Set<string>()
  const add = (name: string | undefined, namespace: string | undefined): void => {
    if (name) found.add(`${namespace || home}/${name}`)
  }
  for (const source of Object.values(spec as unknown as Record<string, WithSecrets | string | undefined>)) {
    if (typeof source !== 'object') continue
    add(source.secretName, source.secretNamespace)
    const { secretRef, controllerPublishSecretRef, nodeExpandSecretRef, nodePublishSecretRef, nodeStageSecretRef } = source
    const all = [secretRef, controllerPublishSecretRef, nodeExpandSecretRef, nodePublishSecretRef, nodeStageSecretRef]
    for (const each of all) add(each?.name, each?.namespace)
  }
  return found
}
