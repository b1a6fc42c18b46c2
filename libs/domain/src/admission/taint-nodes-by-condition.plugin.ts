// TaintNodesByCondition: a new node takes no pods until its conditions have been seen. The node life-cycle controller removes
// the taint when the node is ready.
import type { Node, Taint } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts'

const notReady: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }

const admit = ({ group, resource, subresource, operation, object }: AdmissionAttributes): void => {
  if (group !== '' || resource !== 'nodes' || subresource !== '' || operation !== 'CREATE' || !object) return
  const node = object as KubeObject & Node
  const taints = node.spec?.taints ?? []
  if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect)) return
  node.spec = { ...node.spec, taints: [...taints, { ...notReady }] }
}

export const taintNodesByCondition: AdmissionPlugin = { name: 'TaintNodesByCondition', admit }
