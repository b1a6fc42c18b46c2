// The environment variables that tell a container of the Services of its namespace, and of the API, as upstream names them.
// Pure.
import type { Pod, Service } from '@shiplog/api/generated/types/core-v1'

/** The Service of the API is told to every pod, wherever it runs. */
const apiService = { namespace: 'default', name: 'kubernetes' }

const isApi = ({ metadata }: Service): boolean =>
  metadata.name === apiService.name && metadata.namespace === apiService.namespace

const hasAddress = ({ spec }: Service): boolean => /[.:]/.test(spec?.clusterIP ?? '')

const wordOf = (name: string): string => name.toUpperCase().replaceAll('-', '_')

/** A Service of the pod's own namespace wins over the API's where they have one name. */
export function servicesFor(pod: Pod, services: readonly Service[]): Service[] {
  const namespace = pod.metadata.namespace ?? ''
  const linked = pod.spec.enableServiceLinks !== false
  const chosen = new Map<string, Service>()
  for (const service of services.filter(hasAddress)) {
    const own = service.metadata.namespace === namespace
    if (isApi(service) && !chosen.has(service.metadata.name)) chosen.set(service.metadata.name, service)
    else if (own && linked) chosen.set(service.metadata.name, service)
  }
  return [...chosen.values()]
}

export function serviceEnvironment(services: readonly Service[]): Record<string, string> {
  const env: Record<string, string> = {}
  for (const { metadata, spec } of services) {
    const word = wordOf(metadata.name)
    const address = spec?.clusterIP ?? ''
    const host = address.includes(':') ? `[${address}]` : address
    const ports = spec?.ports ?? []
    env[`${word}_SERVICE_HOST`] = address
    for (const [index, { name, port, protocol = 'TCP' }] of ports.entries()) {
      const kind = protocol.toLowerCase()
      const link = `${word}_PORT_${port}_${protocol.toUpperCase()}`
      if (index === 0) {
        env[`${word}_SERVICE_PORT`] = String(port)
        env[`${word}_PORT`] = `${kind}://${host}:${port}`
      }
      if (name) env[`${word}_SERVICE_PORT_${wordOf(name)}`] = String(port)
      env[link] = `${kind}://${host}:${port}`
      env[`${link}_PROTO`] = kind
      env[`${link}_PORT`] = String(port)
      env[`${link}_ADDR`] = address
    }
  }
  return env
}
