// Where requests for a port of a Service go: to the pods themselves. Those that are ready, or, when none is, those that still
// serve while they end. Pure.
import { formatIp, parseIp } from '@shiplog/api/ip-address'
import type { Service, ServicePort } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** How pods of the port are spoken to: HTTP/1.1, or HTTP/2 without TLS (gRPC). */
export type BackendProtocol = 'http1' | 'h2c'

export interface Backend {
  readonly endpoints: readonly Endpoint[]
  readonly protocol: BackendProtocol
}

export const noBackend: Backend = { endpoints: [], protocol: 'http1' }

const http2Protocols = new Set(['kubernetes.io/h2c', 'grpc', 'h2c'])

export const servicePortOf = ({ spec }: Service, port: string | number): ServicePort | undefined =>
  (spec?.ports ?? []).find((one) => (typeof port === 'number' ? one.port === port : one.name === port))

export function backendOf(service: Service, slices: readonly EndpointSlice[], port: string | number): Backend {
  const servicePort = servicePortOf(service, port)
  if (servicePort === undefined || service.spec?.type === 'ExternalName') return noBackend
  const ready = new Map<string, Endpoint>()
  const leaving = new Map<string, Endpoint>()
  for (const slice of slices) {
    for (const target of slice.ports ?? []) {
      if ((target.name ?? '') !== (servicePort.name ?? '') || (target.protocol ?? 'TCP') !== 'TCP' || !target.port) continue
      for (const { addresses, conditions = {} } of slice.endpoints ?? []) {
        const ip = parseIp(addresses?.[0] ?? '')
        if (ip === undefined) continue
        const endpoint = { address: formatIp(ip), port: target.port }
        const id = `${endpoint.address} ${endpoint.port}`
        if (conditions.ready ?? true) ready.set(id, endpoint)
        else if (conditions.serving && conditions.terminating) leaving.set(id, endpoint)
      }
    }
  }
  const chosen = ready.size > 0 ? ready : leaving
  return {
    endpoints: [...chosen].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, endpoint]) => endpoint),
    protocol: http2Protocols.has(servicePort.appProtocol ?? '') ? 'h2c' : 'http1',
  }
}
