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

/** What a Scale says of an object. */
export interface ScaleValues {
  readonly wanted: number
  readonly present: number
  readonly selector: string
}

/** The Scale of a Deployment, ReplicaSet, StatefulSet or ReplicationController. */
export const readScale = (object: Scalable, groupResource: string): KubeObject =>
  scaleOf(object as KubeObject, {
    wanted: object.spec?.replicas ?? 0,
    present: object.status?.replicas ?? 0,
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
    // Zero is not written, as in upstream's type.
    spec: wanted ? { replicas: wanted } : {},
    status: { replicas: present, ...(selector ? { selector } : {}) },
  }
}

/** Writes the wished replicas into the draft, or throws. The caller checks the resourceVersion. */
export const writeScale = (draft: Scalable, scale: Decoded<Scale>, groupResource: string): void => {
  section(draft, 'spec').replicas = wantedReplicas(draft, scale, groupResource)
}

/** The replicas that a Scale wishes for an object; throws when it may not. */
export const wantedReplicas = (draft: Scalable, scale: Decoded<Scale>, groupResource: string): number => {
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
  return replicas
}
