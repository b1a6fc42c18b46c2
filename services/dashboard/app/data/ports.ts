// What kubectl would be told to reach a port of a pod, a Service or a workload from one's own machine.
import type { AnyObject } from './actions.ts'
import { type Kind, keyOf } from './kinds.ts'
import { inNamespace, shellLine } from './shell.ts'

/** Ports below this one may not be opened by everybody. */
const openPortMin = 1_024
const openPortOffset = 8_000
const portsMax = 8
/** What kubectl finds a pod of. */
const forwarded: Readonly<Record<string, string>> = { pods: 'pod', services: 'service', 'deployments.apps': 'deployment', 'replicasets.apps': 'replicaset', 'statefulsets.apps': 'statefulset' }

export interface Forward {
  readonly title: string
  readonly command: string
}

/** One for each TCP port that the object names; none where nothing can be forwarded. */
export function forwardsOf(kind: Kind, { metadata, spec = {} }: AnyObject): readonly Forward[] {
  const type = forwarded[keyOf(kind)]
  if (type === undefined || (type === 'service' && spec.type === 'ExternalName')) return []
  const ports: readonly AnyObject[] = type === 'service' ? (spec.ports ?? []) : ((spec.template?.spec ?? spec).containers ?? []).flatMap((one: AnyObject) => one.ports ?? [])
  return ports
    .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
    .slice(0, portsMax)
    .map(({ name, port, containerPort }) => {
      const there: number = port ?? containerPort
      const here = there < openPortMin ? there + openPortOffset : there
      return { title: name ?? String(there), command: shellLine('kubectl', 'port-forward', `${type}/${metadata.name}`, ...inNamespace(metadata.namespace), `${here}:${there}`) }
    })
}
