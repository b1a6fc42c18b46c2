// NodeRestriction: a node's agent writes about its own node, the pods on it and what those use, and about nothing else. The
// Node authorizer says which kinds it may write; here stands what only the object tells.
import type { TokenRequest } from '@shiplog/api/generated/types/authentication-v1'
import type { CertificateSigningRequest } from '@shiplog/api/generated/types/certificates-v1'
import type { CSIDriver } from '@shiplog/api/generated/types/storage-v1'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '@shiplog/api/generated/types/core-v1'
import type { ResourceSlice } from '@shiplog/api/generated/types/resource-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { ApiError, forbidden, notFound } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'
import { parseCertificateRequest } from '../certificate-signing-request/pkcs10.ts'
import { semanticEqual } from '../fields.ts'
import { nodeOf } from '../node-identity.ts'
import { forbiddenNodeLabels } from '../node-labels.ts'

const leaseNamespace = 'kube-node-lease'
const mirrorAnnotation = 'kubernetes.io/config.mirror'

interface Asked {
  readonly node: string
  readonly attributes: AdmissionAttributes
  readonly view: AdmissionView
}

/** Why it is refused; undefined when it is not. */
type Rule = (asked: Asked) => string | undefined

const rules: Readonly<Record<string, Rule>> = {
  pods: podRule,
  nodes: nodeRule,
  persistentvolumeclaims: claimRule,
  serviceaccounts: accountRule,
  'leases.coordination.k8s.io': leaseRule,
  'csinodes.storage.k8s.io': ({ node, attributes }) =>
    nameOf(attributes) === node ? undefined : 'can only access CSINode with the same name as the requesting node',
  'resourceslices.resource.k8s.io': sliceRule,
  'certificatesigningrequests.certificates.k8s.io': requestRule,
}

const nameOf = ({ object, name }: AdmissionAttributes): string => object?.metadata?.name || name

export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  validate(attributes, view) {
    const node = nodeOf(attributes.user)
    if (node === undefined) return
    const { group, resource } = attributes
    const why = rules[group === '' ? resource : `${resource}.${group}`]?.({ node, attributes, view })
    if (why !== undefined) throw new ApiError(forbidden({ group, resource }, nameOf(attributes), why))
  },
}

const podOf = ({ attributes: { namespace }, view }: Asked, name: string): Pod => {
  const pod = view.get('pods', namespace, name)
  if (!pod) throw new ApiError(notFound({ group: '', resource: 'pods' }, name))
  return pod as KubeObject & Pod
}

function podRule(asked: Asked): string | undefined {
  const { node, attributes } = asked
  const { operation, subresource, before, object, name } = attributes
  if (subresource === 'status') return statusRule(asked)
  if (subresource === 'eviction') {
    const { spec } = podOf(asked, name || (object?.metadata.name ?? ''))
    return spec.nodeName === node ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`
  }
  if (subresource !== '') return `unexpected pod subresource "${subresource}", only 'status' and 'eviction' are allowed`
  if (operation === 'CREATE') return mirrorRule(asked, object as KubeObject & Pod)
  if (operation !== 'DELETE') {
    return `unexpected operation "${operation}", node "${node}" can only create and delete mirror pods`
  }
  const pod = (before as (KubeObject & Pod) | undefined) ?? podOf(asked, name)
  return pod.spec.nodeName === node ? undefined : `node "${node}" can only delete pods with spec.nodeName set to itself`
}

function statusRule({ node, attributes }: Asked): string | undefined {
  const [old, pod] = [attributes.before, attributes.object] as ((KubeObject & Pod) | undefined)[]
  if (old?.spec.nodeName !== node)
    return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`
  if (!semanticEqual(old.metadata.labels ?? {}, pod?.metadata.labels ?? {}))
    return `node "${node}" cannot update labels through pod status`
  if (!semanticEqual(old.status?.resourceClaimStatuses ?? [], pod?.status?.resourceClaimStatuses ?? []))
    return `node "${node}" cannot update resource claim statues`
  if (!semanticEqual(old.status?.extendedResourceClaimStatus, pod?.status?.extendedResourceClaimStatus))
    return `node "${node}" cannot update extended resource claim status`
  return undefined
}

/** A pod that a node makes shows what it runs anyway: it is the node's, and refers to nothing. */
function mirrorRule({ node, view }: Asked, { metadata, spec }: KubeObject & Pod): string | undefined {
  if (metadata.annotations?.[mirrorAnnotation] === undefined)
    return `pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`
  if (spec.nodeName !== node) return `node "${node}" can only create pods with spec.nodeName set to itself`
  const [owner, ...more] = metadata.ownerReferences ?? []
  if (more.length > 0) return `node "${node}" can only create pods with a single owner reference set to itself`
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `node "${node}" can only create pods with an owner reference set to itself`
  if (!owner.controller) return `node "${node}" can only create pods with a controller owner reference set to itself`
  if (owner.blockOwnerDeletion) return `node "${node}" must not set blockOwnerDeletion on an owner reference`
  const self = view.get('nodes', '', node)
  if (!self) throw new ApiError(notFound({ group: '', resource: 'nodes' }, node))
  const { uid } = self.metadata
  return owner.uid === uid ? undefined : `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`
}

function nodeRule({ node, attributes }: Asked): string | undefined {
  const { operation, object, before } = attributes as AdmissionAttributes & { object?: Node; before?: Node }
  if (nameOf(attributes) !== node) return `node "${node}" is not allowed to modify node "${nameOf(attributes)}"`
  if (!object) return undefined
  const { configSource } = object.spec ?? {}
  const labels = forbiddenNodeLabels(object.metadata.labels ?? {}, before?.metadata.labels ?? {})
  if (operation === 'CREATE') {
    if (configSource) return `node "${node}" is not allowed to create pods with a non-nil configSource`
    return labels.length === 0 ? undefined : `node "${node}" is not allowed to set the following labels: ${labels.join(', ')}`
  }
  if (configSource && !semanticEqual(configSource, before?.spec?.configSource))
    return `node "${node}" is not allowed to update configSource to a new non-nil configSource`
  if (!semanticEqual(object.spec?.taints ?? [], before?.spec?.taints ?? []))
    return `node "${node}" is not allowed to modify taints`
  if (!semanticEqual(object.metadata.ownerReferences ?? [], before?.metadata.ownerReferences ?? []))
    return `node "${node}" is not allowed to modify ownerReferences`
  return labels.length === 0 ? undefined : `is not allowed to modify labels: ${labels.join(', ')}`
}

/** All that a node may say of a claim. */
const claimStatusFields = ['capacity', 'conditions', 'allocatedResourceStatuses', 'allocatedResources'] as const

function claimRule({ node, attributes: { subresource, operation, object, before } }: Asked): string | undefined {
  if (subresource !== 'status') return 'may only update PVC status'
  if (operation !== 'UPDATE') return `unexpected operation "${operation}"`
  const same = semanticEqual(fixedPart(object as KubeObject), fixedPart(before as KubeObject))
  return same ? undefined : `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`
}

function fixedPart(object: KubeObject): object {
  const { metadata, status, ...rest } = object as KubeObject & PersistentVolumeClaim
  const { resourceVersion: _, managedFields: __, ...meta } = metadata
  const told = { ...status }
  for (const field of claimStatusFields) delete told[field]
  return { ...rest, metadata: meta, status: told }
}

function accountRule(asked: Asked): string | undefined {
  const { node, attributes } = asked
  if (attributes.operation !== 'CREATE' || attributes.subresource !== 'token') return undefined
  const { spec } = attributes.object as unknown as TokenRequest
  const { apiVersion, kind, name, uid } = spec.boundObjectRef ?? {}
  if (apiVersion !== 'v1' || kind !== 'Pod' || !name) return 'node requested token not bound to a pod'
  if (!uid) return 'node requested token with a pod binding without a uid'
  const pod = podOf(asked, name)
  if (pod.metadata.uid !== uid)
    return `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
  if (pod.spec.nodeName !== node) return 'node requested token bound to a pod scheduled on a different node'
  return undefined
}

/** Whether a volume of the pod is to hold a token for this audience ('' for the API server's own). */
export function podAsksForAudience({ metadata, spec }: Pod, audience: string, view: AdmissionView): boolean {
  const { namespace = '', name: podName } = metadata
  return (spec.volumes ?? []).some(({ name, projected, ephemeral, persistentVolumeClaim, csi }) => {
    const isProjected = projected?.sources?.some(
      ({ serviceAccountToken: token }) => token !== undefined && (token.audience ?? '') === audience,
    )
    if (isProjected) return true
    const claimName = ephemeral?.volumeClaimTemplate ? `${podName}-${name}` : persistentVolumeClaim?.claimName
    const driver = claimName === undefined ? csi?.driver : driverOfClaim(view, namespace, claimName)
    const known = driver === undefined ? undefined : view.get('csidrivers.storage.k8s.io', '', driver)
    const { tokenRequests = [] } = (known as (KubeObject & CSIDriver) | undefined)?.spec ?? {}
    return tokenRequests.some((each) => each.audience === audience)
  })
}

function driverOfClaim(view: AdmissionView, namespace: string, name: string): string | undefined {
  const claim = view.get('persistentvolumeclaims', namespace, name) as (KubeObject & PersistentVolumeClaim) | undefined
  const volumeName = claim?.spec.volumeName
  if (!volumeName) return undefined
  return (view.get('persistentvolumes', '', volumeName) as (KubeObject & PersistentVolume) | undefined)?.spec.csi?.driver
}

function leaseRule({ node, attributes }: Asked): string | undefined {
  const { namespace } = attributes
  const name = nameOf(attributes)
  // The agent's own Lease among those of the components.
  if (namespace === 'kube-system' && name === `node-agent-${node}`) return undefined
  if (namespace !== leaseNamespace) return `can only access leases in the "${leaseNamespace}" system namespace`
  return name === node ? undefined : 'can only access node lease with the same name as the requesting node'
}

function sliceRule({ node, attributes: { operation, object, before } }: Asked): string | undefined {
  if (operation !== 'CREATE' && operation !== 'DELETE') return undefined
  const slice = (operation === 'CREATE' ? object : before) as (KubeObject & ResourceSlice) | undefined
  if (slice?.spec.nodeName === node) return undefined
  return `can only ${operation.toLowerCase()} ResourceSlice with the same NodeName as the requesting node`
}

const nodeSigners: ReadonlySet<string> = new Set([
  'kubernetes.io/kubelet-serving',
  'kubernetes.io/kube-apiserver-client-kubelet',
])

function requestRule({ node, attributes: { operation, object } }: Asked): string | undefined {
  const spec = (object as (KubeObject & CertificateSigningRequest) | undefined)?.spec
  if (operation !== 'CREATE' || !spec || !nodeSigners.has(spec.signerName)) return undefined
  let commonName: string
  try {
    commonName = parseCertificateRequest(Buffer.from(spec.request, 'base64').toString('latin1')).commonName
  } catch (error) {
    return `unable to parse csr: ${(error as Error).message}`
  }
  return commonName === `system:node:${node}` ? undefined : `can only create a node CSR with CN=system:node:${node}`
}
