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

/** The Scale of a Deployment, ReplicaSet, StatefulSet or ReplicationController. */
export const readScale = (object: KubeObject, groupResource: string): KubeObject => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = selectorOf(object, groupResource)
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
    // Zero is not written, as in upstream's type.
    spec: object['spec']?.replicas ? { replicas: object['spec'].replicas } : {},
    status: { replicas: object['status']?.replicas ?? 0, ...(selector ? { selector } : {}) },
  }
}

/** Writes the wished replicas into the draft, or throws. The caller checks the resourceVersion. */
export const writeScale = (draft: KubeObject, scale: JsonObject, groupResource: string): void => {
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
  section(draft, 'spec')['replicas'] = replicas
}
