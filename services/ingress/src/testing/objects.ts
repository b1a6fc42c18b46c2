// Objects for tests, written short.
import type { Service } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { Ingress, IngressTLS } from '@shiplog/api/generated/types/networking-v1'

const backendTo = (name: string): { service: { name: string; port: { number: number } } } => ({ service: { name, port: { number: 80 } } })

/** `hosts`: host → path → Service; all paths are Prefix. */
export const ingressOf = (
  name: string,
  given: {
    readonly hosts?: Readonly<Record<string, Readonly<Record<string, string>>>>
    readonly fallback?: string
    readonly tls?: IngressTLS[]
    readonly annotations?: Record<string, string>
    readonly createdAt?: string
  },
): Ingress =>
  ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      ...{ name, namespace: 'default', uid: `uid-${name}`, creationTimestamp: given.createdAt ?? '2026-01-01T00:00:00Z' },
      annotations: given.annotations ?? {},
    },
    spec: {
      ingressClassName: 'shiplog',
      ...(given.fallback ? { defaultBackend: backendTo(given.fallback) } : {}),
      ...(given.tls ? { tls: given.tls } : {}),
      rules: Object.entries(given.hosts ?? {}).map(([host, paths]) => ({
        ...(host === '' ? {} : { host }),
        http: { paths: Object.entries(paths).map(([path, service]) => ({ path, pathType: 'Prefix' as const, backend: backendTo(service) })) },
      })),
    },
    status: { loadBalancer: {} },
  }) as unknown as Ingress

const identity = (name: string): object => ({ name, namespace: 'default', uid: `uid-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' })

export const serviceOf = (name: string, appProtocol?: string): Service =>
  ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: identity(name) },
    spec: { ports: [{ name: 'web', port: 80, protocol: 'TCP', ...(appProtocol ? { appProtocol } : {}) }] },
  }) as unknown as Service

/** All its endpoints have one port. */
export const sliceOf = (
  service: string,
  port: number,
  endpoints: readonly { readonly address: string; readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }[],
): EndpointSlice =>
  ({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { ...identity(`${service}-${port}`), labels: { 'kubernetes.io/service-name': service } },
    ports: [{ name: 'web', port, protocol: 'TCP' }],
    endpoints: endpoints.map(({ address, ready = true, ...more }) => ({ addresses: [address], conditions: { ready, ...more } })),
  }) as unknown as EndpointSlice
