// The scale subresource: autoscaling/v1 Scale as a view on the kinds that have replicas.
import type { Scale } from '@shiplog/api/generated/types/autoscaling-v1'
import type { KubeObject, ObjectMeta } from '@shiplog/api/kube-object'
import { compileLabelMap, compileLabelSelector, formatSelector, type LabelSelector } from '@shiplog/api/selectors'
import { ApiError, conflict, invalid } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { nonNegative, section } from '../fields.ts'

/** What has replicas. The selector of ReplicationControllers is a plain map. */
interface Scalable {
  readonly metadata: ObjectMeta
  spec?: { replicas?: number | undefined; selector?: LabelSelector | Record<string, string> }
  readonly status?: { readonly replicas?: number | undefined }
}

const selectorOf = (object: Scalable, groupResource: string): string => {
  const selector = object.spec?.selector
  return formatSelector(
    groupResource === 'replicationcontrollers'
      ? compileLabelMap(selector as Record<string, string>)
      : compileLabelSelector(selector as LabelSelector),
  )
}

/** The Scale of a Deployment, ReplicaSet, StatefulSet or ReplicationController. */
export const readScale = (object: Scalable, groupResource: string): KubeObject => {
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
    spec: object.spec?.replicas ? { replicas: object.spec.replicas } : {},
    status: { replicas: object.status?.replicas ?? 0, ...(selector ? { selector } : {}) },
  }
}

/** Writes the wished replicas into the draft, or throws. The caller checks the resourceVersion. */
export const writeScale = (draft: Scalable, scale: Decoded<Scale>, groupResource: string): void => {
  const { name } = draft.metadata
  const replicas = scale.spec?.replicas ?? 0
  const causes = nonNegative(replicas, 'spec.replicas')
  if (causes.length > 0) throw new ApiError(invalid('autoscaling', 'Scale', name, causes))
  const { uid } = scale.metadata ?? {}
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
  section(draft, 'spec').replicas = replicas
}
