// What a pod refers to by name, in its own namespace: what the node that runs it may read for that reason.
import type { Container, EphemeralContainer, Pod, Volume } from '@shiplog/api/generated/types/core-v1'

export interface PodReference {
  readonly resource:
    | 'configmaps'
    | 'secrets'
    | 'persistentvolumeclaims'
    | 'serviceaccounts'
    | 'resourceclaims.resource.k8s.io'
  readonly name: string
}

const mirrorAnnotation = 'kubernetes.io/config.mirror'

/** Names may stand there more than once. A node's own mirror of a pod says nothing about what the node may read. */
export function referencesOf(pod: Pod): PodReference[] {
  if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) return []
  const { spec, status } = pod
  const containers = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
  const found: Named[] = [
    ['serviceaccounts', spec.serviceAccountName],
    ...(spec.imagePullSecrets ?? []).map(({ name }): Named => ['secrets', name]),
    ...(spec.volumes ?? []).flatMap((volume) => ofVolume(volume, pod.metadata.name)),
    ...containers.flatMap(ofContainer),
    ...(spec.resourceClaims ?? []).map((each): Named => [claims, each.resourceClaimName]),
    ...(status?.resourceClaimStatuses ?? []).map((each): Named => [claims, each.resourceClaimName]),
    [claims, status?.extendedResourceClaimStatus?.resourceClaimName],
  ]
  return found.flatMap(([resource, name]) => (name ? [{ resource, name }] : []))
}

const claims = 'resourceclaims.resource.k8s.io'
type Named = readonly [resource: PodReference['resource'], name: string | undefined]

/** What volumes of all drivers call the secret that they log in with. */
interface WithSecret {
  readonly secretName?: string
  readonly secretRef?: { readonly name?: string }
  readonly nodePublishSecretRef?: { readonly name?: string }
}

function ofVolume(volume: Volume, podName: string): Named[] {
  const { configMap, projected, persistentVolumeClaim, ephemeral, name } = volume
  return [
    ['configmaps', configMap?.name],
    ['persistentvolumeclaims', persistentVolumeClaim?.claimName],
    // A generic ephemeral volume's claim is named after pod and volume.
    ['persistentvolumeclaims', ephemeral && `${podName}-${name}`],
    ...(projected?.sources ?? []).flatMap((source): Named[] => [
      ['secrets', source.secret?.name],
      ['configmaps', source.configMap?.name],
    ]),
    ...(Object.values(volume) as (WithSecret | string | undefined)[]).flatMap((source): Named[] =>
      typeof source === 'object'
        ? [source.secretName, source.secretRef?.name, source.nodePublishSecretRef?.name].map((each) => ['secrets', each])
        : [],
    ),
  ]
}

const ofContainer = ({ env, envFrom }: Container | EphemeralContainer): Named[] => [
  ...(envFrom ?? []).flatMap((source): Named[] => [
    ['secrets', source.secretRef?.name],
    ['configmaps', source.configMapRef?.name],
  ]),
  ...(env ?? []).flatMap(({ valueFrom }): Named[] => [
    ['secrets', valueFrom?.secretKeyRef?.name],
    ['configmaps', valueFrom?.configMapKeyRef?.name],
  ]),
]
