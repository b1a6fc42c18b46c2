// NodeRestriction: a node's agent writes about its own node and nobody else's. Which objects it may touch by name is said
// by the Node authorizer; here stands what only the object tells.
import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import { ApiError, forbidden } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts'
import { semanticEqual } from '../fields.ts'
import { nodeOf } from '../node-identity.ts'

const leaseNamespace = 'kube-node-lease'
const mirrorAnnotation = 'kubernetes.io/config.mirror'
/** Labels by which people keep workloads off nodes that they do not trust. */
const restrictedLabel = /(^|\.)node-restriction\.kubernetes\.io\//

const validate = (attributes: AdmissionAttributes): void => {
  const node = nodeOf(attributes.user)
  if (node === undefined) return
  const { group, resource, operation, namespace, object, before } = attributes
  const name = object?.metadata.name ?? attributes.name
  const refuse = (why: string): never => {
    throw new ApiError(forbidden({ group, resource }, name, why))
  }
  if (group === '' && resource === 'nodes') {
    if (name !== node) refuse(`node "${node}" is not allowed to modify node "${name}"`)
    if (object === undefined) return
    const labels = { ...object.metadata.labels } as Record<string, unknown>
    const known = (before?.metadata.labels ?? {}) as Record<string, unknown>
    const touched = [...new Set([...Object.keys(labels), ...Object.keys(known)])].filter(
      (label) => restrictedLabel.test(label) && labels[label] !== known[label],
    )
    if (touched.length > 0) {
      refuse(`is not allowed to modify labels: ${touched.sort().join(', ')}`)
    }
    const [now, was]: (Draft<Node> | undefined)[] = [object, before]
    if (was && !semanticEqual(now?.spec?.taints, was.spec?.taints)) {
      refuse(`node "${node}" is not allowed to modify taints`)
    }
  } else if (group === 'coordination.k8s.io' && resource === 'leases') {
    // The agent's own Lease among those of the components.
    if (namespace === 'kube-system' && name === `node-agent-${node}`) return
    if (namespace !== leaseNamespace) refuse(`can only access leases in the "${leaseNamespace}" system namespace`)
    if (name !== node) refuse('can only access node lease with the same name as the requesting node')
  } else if (group === '' && resource === 'pods' && operation === 'CREATE') {
    const pod: Draft<Pod> | undefined = object
    if (pod?.metadata.annotations?.[mirrorAnnotation] === undefined) {
      refuse(`pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`)
    }
    if (pod?.spec?.nodeName !== node) refuse(`node "${node}" can only create pods with spec.nodeName set to itself`)
  }
}

export const nodeRestriction: AdmissionPlugin = { name: 'NodeRestriction', validate }
