// From a file of a node's manifest directory to the pod that the node runs: decoded, defaulted and checked as the API would,
// named for its node, with a uid that is its content's. Pure.
import { createHash } from 'node:crypto'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { decodeBody, normalize, yamlMediaType } from '@shiplog/api/decode/decode'
import type { KubeObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { setPodDefaults } from '@shiplog/domain/pod/pod-defaults'
import { validatePodSpec } from '@shiplog/domain/pod/pod-spec-validation'

/** As the kubelet's bound on what it reads. */
export const manifestBytesMax = 10 << 20

export const hashAnnotation = 'kubernetes.io/config.hash'
export const mirrorAnnotation = 'kubernetes.io/config.mirror'
export const sourceAnnotation = 'kubernetes.io/config.source'
export const seenAnnotation = 'kubernetes.io/config.seen'

const definition = 'io.k8s.api.core.v1.Pod'
const namePattern = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

export interface ManifestInput {
  readonly bytes: Uint8Array
  /** Part of what the uid is made of: the same pod in another file is another pod. */
  readonly path: string
  readonly nodeName: string
}

/** Throws with a sentence about what is wrong. */
export function podOfManifest({ bytes, path, nodeName }: ManifestInput): Pod {
  const registry = builtInRegistry()
  const { value } = decodeBody(bytes, yamlMediaType, registry, { definition })
  const { apiVersion, kind } = value as Partial<KubeObject>
  if (apiVersion !== 'v1' || kind !== 'Pod') throw new Error(`invalid pod: ${apiVersion ?? ''} ${kind ?? ''}`)
  const { object, errors } = normalize(registry, definition, value)
  if (errors[0] !== undefined) throw new Error(errors[0])
  const pod = structuredClone(object) as unknown as Pod & { spec: Pod['spec']; metadata: Pod['metadata'] }
  const { name, namespace, uid } = pod.metadata ?? {}
  if (!name) throw new Error('invalid pod: name is needed for the pod')
  const own = uid || createHash('md5').update(bytes).update(`host:${nodeName}file:${path}`).digest('hex')
  const fullName = `${name}-${nodeName.toLowerCase()}`
  if (!namePattern.test(fullName) || fullName.length > 253 || !namePattern.test(own)) throw new Error(`invalid pod: metadata.name: ${fullName}`)
  setPodDefaults(pod as never)
  const refused = forbidden(pod)
  if (refused !== undefined) throw new Error(refused)
  const spec = { ...pod.spec, nodeName, tolerations: [...(pod.spec.tolerations ?? []), { operator: 'Exists' as const, effect: 'NoExecute' as const }] }
  const [cause] = validatePodSpec(spec as never, 'spec', fullName)
  if (cause !== undefined) throw new Error(`invalid pod: ${cause.field}: ${cause.message}`)
  const metadata = {
    ...pod.metadata,
    ...{ name: fullName, namespace: namespace || 'default', uid: own },
    annotations: { ...pod.metadata.annotations, [hashAnnotation]: own, [sourceAnnotation]: 'file' },
  }
  return { ...pod, metadata, spec, status: { phase: 'Pending' } }
}

/** What a pod that no API has seen cannot have. */
function forbidden({ spec }: Pod): string | undefined {
  const sources = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? [])
  if (sources.some(({ clusterTrustBundle }) => clusterTrustBundle)) return 'static pods may not use ClusterTrustBundle projected volume sources'
  if (spec.resourceClaims?.length) return 'static pods may not use ResourceClaims'
  if ((spec.ephemeralContainers ?? []).length > 0) return 'invalid pod: ephemeral containers cannot be set in a manifest'
  return undefined
}
