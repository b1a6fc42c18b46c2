// Which fields a field selector may name, for each group and version of a kind, and what is compared then: upstream's field
// label conversion functions. Kinds without an entry have the two that all objects have.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { apiVersionOf } from '@shiplog/api/schema/schema'

interface FieldLabels {
  /** Label of a selector → name among the selectable fields of the kind's strategy, or `metadata.name`. */
  readonly fields: ReadonlyMap<string, string>
  refusal(label: string): string
}

const named = 'metadata.name'
const inNamespace = [named, 'metadata.namespace'] as const

const labels = (
  fields: readonly string[],
  more: Readonly<Record<string, string>> = {},
  refusal = (label: string): string => `field label not supported: ${label}`,
): FieldLabels => ({
  fields: new Map([...fields.map((field): [string, string] => [field, field]), ...Object.entries(more)]),
  refusal,
})

const ofInvolved = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const

const ofAllKinds = labels(
  inNamespace,
  {},
  (label) => `${goQuote(label)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
)

const pods = labels(
  [
    ...inNamespace,
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    // Taken, and never equal to anything but nothing: upstream has no such field to compare.
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  { 'spec.host': 'spec.nodeName' },
)

const coreEvents = labels([
  ...inNamespace,
  ...ofInvolved.map((field) => `involvedObject.${field}`),
  'reason',
  'reportingComponent',
  'source',
  'type',
])

/** The newer group calls the same fields by its own names. */
const newEvents = labels([...inNamespace, 'reason', 'type'], {
  ...Object.fromEntries(ofInvolved.map((field) => [`regarding.${field}`, `involvedObject.${field}`])),
  reportingController: 'reportingComponent',
})

const byKind = new Map<string, FieldLabels>([
  [
    'batch/v1 Job',
    labels([...inNamespace, 'status.successful'], {}, (label) => `field label ${goQuote(label)} not supported for Job`),
  ],
  ['certificates.k8s.io/v1 CertificateSigningRequest', labels([named, 'spec.signerName'])],
  ['events.k8s.io/v1 Event', newEvents],
  [
    'resource.k8s.io/v1 ResourceSlice',
    labels(
      [named, 'spec.nodeName', 'spec.driver'],
      {},
      (label) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${label}`,
    ),
  ],
  ['v1 Event', coreEvents],
  ['v1 Namespace', labels([named, 'status.phase'])],
  ['v1 Node', labels([named, 'spec.unschedulable'])],
  ['v1 Pod', pods],
  ['v1 ReplicationController', labels([...inNamespace, 'status.replicas'])],
  ['v1 Secret', labels([...inNamespace, 'type'])],
  ['v1 Service', labels([...inNamespace, 'spec.clusterIP', 'spec.type'])],
])

/** The field that a selector's label means, or why it means none. */
export type FoundField = { readonly field: string } | { readonly refusal: string }

/** What a selector's label means for a kind in a version, or why it means nothing there. */
export function selectableField(
  { group, version, kind }: { readonly group: string; readonly version: string; readonly kind: string },
  label: string,
): FoundField {
  const known = byKind.get(`${apiVersionOf(group, version)} ${kind}`) ?? ofAllKinds
  const field = known.fields.get(label)
  return field === undefined ? { refusal: known.refusal(label) } : { field }
}
