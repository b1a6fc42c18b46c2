// What a write through /status may not say of an object's metadata. Upstream's older kinds take labels, annotations, owners and
// finalizers along with the status; its newer ones (metav1.ResetObjectMetaForStatus) and a few exceptions do not.
const none: readonly string[] = []
const whole = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const

const kept = new Map<string, readonly string[]>([
  ['deployments.apps', ['labels']],
  ...[
    'apiservices.apiregistration.k8s.io',
    'devicetaintrules.resource.k8s.io',
    'flowschemas.flowcontrol.apiserver.k8s.io',
    'podcertificaterequests.certificates.k8s.io',
    'podgroups.scheduling.k8s.io',
    'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
    'resourceclaims.resource.k8s.io',
    'resourcepoolstatusrequests.resource.k8s.io',
    'servicecidrs.networking.k8s.io',
    'storageversionmigrations.storagemigration.k8s.io',
    'storageversions.internal.apiserver.k8s.io',
    'validatingadmissionpolicies.admissionregistration.k8s.io',
    'volumeattachments.storage.k8s.io',
  ].map((groupResource): [string, readonly string[]] => [groupResource, whole]),
])

/** The fields of metadata that stay as they were when the status of such an object is written. */
export const metadataOutsideStatus = (groupResource: string): readonly string[] => kept.get(groupResource) ?? none

/** The fields that the writer of such an object's status does not come to own; undefined when only the spec is not. */
export function resetByStatusWrite(groupResource: string): readonly string[] | undefined {
  const fields = kept.get(groupResource)
  if (!fields) return undefined
  return fields === whole ? ['spec', 'metadata'] : ['spec', ...fields.map((field) => `metadata.${field}`)]
}
