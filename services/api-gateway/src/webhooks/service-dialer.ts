// Connections to Services that an administrator named: to one of their ready endpoints. Where that is a pod, its node's agent makes
// the connection, as no gateway need have a route to pods; every other address is dialled.
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { Pod, Service } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import { type AdmissionView, lookUp } from '@shiplog/domain/admission'
import { dialPod } from '../streaming/proxy-targets.ts'
import type { Tunnels } from '../streaming/tunnels.ts'

export interface ServiceTarget {
  readonly namespace: string
  readonly name: string
  readonly port: number
}

export interface ServiceDialer {
  /** A connection to one of its ready endpoints. Rejects with what went wrong, in Go's words. */
  dial(target: ServiceTarget, signal: AbortSignal): Promise<Duplex>
}

export interface ServiceDialerDeps {
  readonly view: AdmissionView
  readonly tunnels: Tunnels
  /** Any of so many. */
  readonly integer: (below: number) => number
}

interface Address {
  readonly host: string
  readonly port: number
  readonly pod: Pod | undefined
}

export const createServiceDialer = (deps: ServiceDialerDeps): ServiceDialer => ({
  async dial(target, signal) {
    const { host, port, pod } = addressOf(deps, target)
    const nodeName = pod?.spec.nodeName
    if (!pod || !nodeName) return await dialAddress(host, port, signal)
    const { namespace = '', name, uid } = pod.metadata
    return await dialPod(deps.tunnels, { nodeName, namespace, name, uid, port }, signal)
  },
})

/** Throws with upstream's sentence when there is none. */
function addressOf({ view, integer }: ServiceDialerDeps, { namespace, name, port }: ServiceTarget): Address {
  const service = lookUp(view, 'services', namespace, name)
  if (!service) throw new Error(`service ${goQuote(name)} not found`)
  if (service.spec.type === 'ExternalName') return { host: service.spec.externalName ?? '', port, pod: undefined }
  const servicePort = service.spec.ports?.find((one) => one.port === port)
  if (!servicePort) throw new Error(`no service port ${port} found for service ${goQuote(name)}`)
  const addresses = endpointsOf(view, service, servicePort.name ?? '')
  if (addresses.length === 0) throw new Error(`no endpoints available for service ${goQuote(name)}`)
  return addresses[integer(addresses.length)]!
}

function endpointsOf(view: AdmissionView, { metadata }: Service, portName: string): readonly Address[] {
  const { namespace = '', name } = metadata
  const slices = view.list('endpointslices.discovery.k8s.io', namespace) as unknown as readonly EndpointSlice[]
  return slices
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name)
    .flatMap(({ ports, endpoints }) => {
      const number = ports?.find((one) => (one.name ?? '') === portName)?.port
      if (number === undefined) return []
      return (endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses, targetRef }) => {
          const isPod = targetRef?.kind === 'Pod' && targetRef.name
          const pod = isPod ? lookUp(view, 'pods', targetRef.namespace || namespace, targetRef.name!) : undefined
          return (addresses ?? []).map((host): Address => ({ host, port: number, pod }))
        })
    })
}

/** A connection of TCP, before it is used. */
export function dialAddress(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}
