// The scale subresource: autoscaling/v1 Scale as a view on the kinds that have replicas.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { compileLabelMap, compileLabelSelector, formatSelector } from '@shiplog/api/selectors'
import { ApiError, conflict, invalid } from '@shiplog/api/status'
import { nonNegative, section } from '../fields.ts'

const selectorOf = (object: KubeObject, groupResource: string): string => {
  const selector = object['spec']?.selector
  // ReplicationControllers select by a plain map.
  return formatSelector(
    groupResource === 'replicationcontrollers' ? compileLabelMap(selector) : compileLabelSelector(selector),
  )
}

/** What a Scale says of an object. */
export interface ScaleValues {
  readonly wanted: number
  readonly present: number
  readonly selector: string
}

/** The Scale of a Deployment, ReplicaSet, StatefulSet or ReplicationController. */
export const readScale = (object: KubeObject, groupResource: string): KubeObject =>
  scaleOf(object, {
    wanted: object['spec']?.replicas ?? 0,
    present: object['status']?.replicas ?? 0,
    selector: selectorOf(object, groupResource),
  })

export const scaleOf = (object: KubeObject, { wanted, present, selector }: ScaleValues): KubeObject => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      creationTimestamp,
    },
    spec: { replicas: wanted },
    status: { replicas: present, ...(selector ? { selector } : {}) },
  }
}

/** Writes the wished replicas into the draft, or throws. The caller checks the resourceVersion. */
export const writeScale = (draft: KubeObject, scale: JsonObject, groupResource: string): void => {
  section(draft, 'spec')['replicas'] = wantedReplicas(draft, scale, groupResource)
}

/** The replicas that a Scale wishes for an object; throws when it may not. */
export const wantedReplicas = (draft: KubeObject, scale: JsonObject, groupResource: string): number => {
  const { name } = draft.metadata
  const replicas: number = scale['spec']?.replicas ?? 0
  const causes = nonNegative(replicas, 'spec.replicas')
  if (causes.length > 0) throw new ApiError(invalid('autoscaling', 'Scale', name, causes))
  const { uid } = scale['metadata'] ?? {}
  if (uid && uid !== draft.metadata.uid) {
    const [resource = '', ...group] = groupResource.split('.')
    throw new ApiError(
      conflict(
        { group: group.join('.'), resource },
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${draft.metadata.uid}`,
      ),
    )
  }
  return replicas
}
