// What a node's agent may do, as upstream's Node authorizer: it reads its own node, the pods that are bound to it and what
// those refer to; the rest is the rules of the role system:node. Which of its writes are about itself is checked by the
// admission plugin NodeRestriction, which sees the object.
import type { PolicyRule } from '@shiplog/api/generated/types/rbac-v1'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import type { AdmissionView } from '@shiplog/domain/admission'
import { nodeRules } from '@shiplog/domain/bootstrap-roles'
import { nodeOf } from '@shiplog/domain/node-identity'
import type { NodeGraph } from './node-graph.ts'
import { type NodeRelations, nodeRelations } from './node-relations.ts'
import type { Access, Verdict } from './rbac-authorizer.ts'
import { ruleAllows } from './rule-matching.ts'
import { fieldValue } from './selectors.ts'

const leaseNamespace = 'kube-node-lease'
const reads: ReadonlySet<string> = new Set(['get', 'list', 'watch'])
const ofOneObject: ReadonlySet<string> = new Set(['get', 'create', 'update', 'patch', 'delete'])
const isUpdate = (verb: string): boolean => verb === 'update' || verb === 'patch'

export interface NodeAuthorizer {
  /** Undefined for everybody who is not a node. What is refused, others may allow still. */
  decide(access: Access): Verdict | undefined
}

interface Asked {
  readonly node: string
  readonly access: Access
  readonly relations: NodeRelations
  readonly view: AdmissionView
}

const allowed: Verdict = { allowed: true, reason: '' }
const refused = (reason = ''): Verdict => ({ allowed: false, reason })

export function createNodeAuthorizer(view: AdmissionView, graph?: NodeGraph): NodeAuthorizer {
  const relations = nodeRelations(view, graph)
  const rules: readonly PolicyRule[] = nodeRules()
  return {
    decide(access) {
      const node = nodeOf(access.user)
      if (node === undefined) return undefined
      const judge = judges[groupResourceOf(access.group, access.resource)]
      if (judge) return judge({ node, access, relations, view })
      return rules.some((rule) => ruleAllows(rule, access)) ? allowed : refused()
    },
  }
}

/** Upstream's sentence for what has nothing to do with the node. */
const related = (asked: Asked, isRelated: boolean): Verdict => {
  if (asked.access.name === '') return refused('No Object name found')
  return isRelated ? allowed : refused(`no relationship found between node '${asked.node}' and this object`)
}

function readOfOne(asked: Asked, isRelated: () => boolean): Verdict {
  const { verb, subresource, namespace } = asked.access
  if (!reads.has(verb)) return refused('can only read resources of this type')
  if (subresource !== '') return refused('cannot read subresource')
  if (namespace === '') return refused('can only read namespaced object of this type')
  return related(asked, isRelated())
}

function getOfOne(asked: Asked, isRelated: () => boolean): Verdict {
  const { verb, subresource } = asked.access
  if (verb !== 'get') return refused('can only get individual resources of this type')
  if (subresource !== '') return refused('cannot get subresource')
  return related(asked, isRelated())
}

function ownObject(asked: Asked, what: string): Verdict | undefined {
  const { verb, name } = asked.access
  if (!ofOneObject.has(verb)) return refused(`can only get, create, update, patch, or delete a ${what}`)
  // The name of what is created is not known here.
  if (verb !== 'create' && name !== asked.node) {
    return refused(`can only access ${what} with the same name as the requesting node`)
  }
  return undefined
}

const refers = ({ node, relations, access }: Asked, resource: Parameters<NodeRelations['isReferred']>[1]): boolean =>
  relations.isReferred(node, resource, access.namespace, access.name)

/** Of cluster-scoped objects that say which node they are of. */
const namesNode = ({ node, view, access }: Asked, nodeName: (spec: { nodeName?: string }) => string | undefined): boolean => {
  const object = view.get(groupResourceOf(access.group, access.resource), '', access.name)
  return nodeName(object?.['spec'] ?? {}) === node
}

const judges: Readonly<Record<string, (asked: Asked) => Verdict>> = {
  secrets: (asked) =>
    readOfOne(asked, () => asked.relations.isSecretOf(asked.node, asked.access.namespace, asked.access.name)),
  configmaps: (asked) => readOfOne(asked, () => refers(asked, 'configmaps')),
  persistentvolumeclaims: claimVerdict,
  persistentvolumes: (asked) => getOfOne(asked, () => asked.relations.isVolumeOf(asked.node, asked.access.name)),
  'resourceclaims.resource.k8s.io': (asked) => getOfOne(asked, () => refers(asked, 'resourceclaims.resource.k8s.io')),
  'volumeattachments.storage.k8s.io': (asked) => getOfOne(asked, () => namesNode(asked, ({ nodeName }) => nodeName)),
  serviceaccounts: accountVerdict,
  'leases.coordination.k8s.io': leaseVerdict,
  'csinodes.storage.k8s.io': (asked) =>
    asked.access.subresource === ''
      ? (ownObject(asked, 'CSINode') ?? allowed)
      : refused('cannot authorize CSINode subresources'),
  'resourceslices.resource.k8s.io': sliceVerdict,
  nodes: nodeVerdict,
  pods: podVerdict,
  // A feature that is off by default.
  'podcertificaterequests.certificates.k8s.io': () => refused(),
}

function claimVerdict(asked: Asked): Verdict {
  const { verb, subresource } = asked.access
  if (subresource !== 'status') return getOfOne(asked, () => refers(asked, 'persistentvolumeclaims'))
  if (!isUpdate(verb)) return refused('can only get/update/patch this type')
  return related(asked, refers(asked, 'persistentvolumeclaims'))
}

function accountVerdict(asked: Asked): Verdict {
  const { verb, subresource, name } = asked.access
  const isRelated = (): boolean => refers(asked, 'serviceaccounts')
  if (verb === 'get' && subresource === '') return readOfOne(asked, isRelated)
  if (verb !== 'create' || name === '') return refused('can only create tokens for individual service accounts')
  if (subresource !== 'token') return refused('can only create token subresource of serviceaccount')
  return related(asked, isRelated())
}

function leaseVerdict(asked: Asked): Verdict {
  const { verb, namespace, name } = asked.access
  if (!ofOneObject.has(verb)) return refused('can only get, create, update, patch, or delete a node lease')
  if (namespace !== leaseNamespace) return refused(`can only access leases in the "${leaseNamespace}" system namespace`)
  if (verb !== 'create' && name !== asked.node) {
    return refused('can only access node lease with the same name as the requesting node')
  }
  return allowed
}

function sliceVerdict(asked: Asked): Verdict {
  const { verb, subresource, selectors } = asked.access
  if (subresource !== '') return refused('cannot authorize ResourceSlice subresources')
  if (verb === 'create') return allowed
  if (verb === 'list' || verb === 'watch' || verb === 'deletecollection') {
    if (fieldValue(selectors, 'spec.nodeName') === asked.node) return allowed
    return refused('can only list/watch/deletecollection resourceslices with nodeName field selector')
  }
  if (ofOneObject.has(verb)) return related(asked, namesNode(asked, ({ nodeName }) => nodeName))
  return refused(
    'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
  )
}

function nodeVerdict({ node, access: { verb, subresource, name } }: Asked): Verdict {
  if (subresource === 'status') return isUpdate(verb) ? allowed : refused()
  if (subresource !== '') return refused()
  if (verb === 'create' || isUpdate(verb)) return allowed
  if (!reads.has(verb)) return refused()
  if (name === node) return allowed
  if (name === '') return refused(`node '${node}' cannot read all nodes, only its own Node object`)
  return refused(`node '${node}' cannot read '${name}', only its own Node object`)
}

function podVerdict(asked: Asked): Verdict {
  const { node, relations, access } = asked
  const { verb, subresource, namespace, name, selectors } = access
  if (subresource === 'status') return isUpdate(verb) ? allowed : refused()
  if (subresource === 'eviction') return verb === 'create' ? allowed : refused()
  if (subresource !== '') return refused()
  const isRelated = (): boolean => relations.isBound(node, namespace, name)
  if (verb === 'get') return getOfOne(asked, isRelated)
  if (verb === 'create' || verb === 'delete') return allowed
  if (verb !== 'list' && verb !== 'watch') return refused()
  if (fieldValue(selectors, 'spec.nodeName') === node) return allowed
  if (name !== '') return related(asked, isRelated())
  return refused('can only list/watch pods with spec.nodeName field selector')
}
