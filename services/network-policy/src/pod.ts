// What of a pod decides who may talk to it. Pure.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { formatIp, parseIp } from '@shiplog/api/ip-address'
import type { Protocol } from '@shiplog/node/packet-filter/statements'

export type Labels = Readonly<Record<string, string>>

export interface PolicyPod {
  readonly uid: string
  /** `namespace/name`. */
  readonly key: string
  /** Of a mirror: the uid of the static pod that it shows. */
  readonly mirrorOf: string | undefined
  readonly namespace: string
  readonly labels: Labels
  readonly nodeName: string | undefined
  /** Its traffic is the node's, and no policy tells the two apart. */
  readonly isOnHostNetwork: boolean
  /** None once it is over: somebody else may have them by then. */
  readonly addresses: readonly string[]
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[]
  readonly createdAt: string
}

const mirrorAnnotation = 'kubernetes.io/config.mirror'
const terminal = ['Succeeded', 'Failed']

export function policyPodOf({ metadata, spec, status = {} }: Pod): PolicyPod {
  const isOver = terminal.includes(status.phase ?? '')
  const texts = isOver ? [] : [status.podIP ?? '', ...(status.podIPs ?? []).map(({ ip }) => ip)]
  const staying = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  return {
    uid: metadata.uid,
    key: `${metadata.namespace ?? ''}/${metadata.name}`,
    mirrorOf: metadata.annotations?.[mirrorAnnotation],
    namespace: metadata.namespace ?? '',
    labels: metadata.labels ?? {},
    nodeName: spec.nodeName,
    isOnHostNetwork: spec.hostNetwork === true,
    addresses: canonicalAddresses(texts),
    ports: [...(spec.containers ?? []), ...staying].flatMap(({ ports }) =>
      (ports ?? []).flatMap(({ name, protocol = 'TCP', containerPort }) =>
        name ? [{ name, protocol: protocol.toLowerCase() as Protocol, port: containerPort }] : [],
      ),
    ),
    createdAt: metadata.creationTimestamp ?? '',
  }
}

/** Each once, in its one spelling. */
export const canonicalAddresses = (texts: readonly string[]): string[] => [
  ...new Set(
    texts.flatMap((text) => {
      const address = parseIp(text)
      return address === undefined ? [] : [formatIp(address)]
    }),
  ),
]
