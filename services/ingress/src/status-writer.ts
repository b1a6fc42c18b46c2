// Writes into each Ingress of ours where it is reached. Several replicas are given the same addresses; when they are not, each
// gives up after a few rounds instead of writing for ever.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Ingress } from '@shiplog/api/generated/types/networking-v1'
import type { Logger } from '@shiplog/runtime/logger'

const writesPerObjectMax = 10
const inFlightMax = 8

export interface StatusWriter {
  /** What is not as it should be is written, in the background. */
  write(ours: readonly Ingress[]): void
}

export function createStatusWriter(options: {
  readonly client: ApiClient
  /** IP addresses, or names of hosts. */
  readonly addresses: readonly string[]
  readonly log: Logger
}): StatusWriter {
  const { client, addresses, log } = options
  const wanted = addresses.map((address) => (/^[0-9.]+$|:/.test(address) ? { ip: address } : { hostname: address }))
  const written = new Map<string, number>()
  const waiting = new Map<string, Ingress>()
  let inFlight = 0

  const isRight = ({ status }: Ingress): boolean => {
    const present = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname)
    return present.length === addresses.length && present.every((one, index) => one === addresses[index])
  }
  function pump(): void {
    for (const [uid, ingress] of waiting) {
      if (inFlight >= inFlightMax) return
      waiting.delete(uid)
      inFlight++
      void send(ingress).finally(() => {
        inFlight--
        pump()
      })
    }
  }
  async function send({ metadata }: Ingress): Promise<void> {
    const at = { group: 'networking.k8s.io', version: 'v1', resource: 'ingresses', subresource: 'status' }
    const body = { status: { loadBalancer: { ingress: wanted } } }
    try {
      const result = await client.request({
        ...{ ...at, verb: 'patch', namespace: metadata.namespace ?? '', name: metadata.name, body },
        patchType: 'application/merge-patch+json',
      })
      if (!result.ok && result.code !== 404) log.warn({ ingress: metadata.name, status: result.status }, 'status of an Ingress not written')
    } catch (err) {
      log.warn({ err, ingress: metadata.name }, 'status of an Ingress not written')
    }
  }

  return {
    write(ours) {
      const present = new Set(ours.map(({ metadata }) => metadata.uid))
      for (const uid of written.keys()) if (!present.has(uid)) written.delete(uid)
      for (const ingress of ours) {
        const { uid } = ingress.metadata
        const times = written.get(uid) ?? 0
        if (isRight(ingress)) waiting.delete(uid)
        else if (times < writesPerObjectMax) {
          written.set(uid, times + 1)
          waiting.set(uid, ingress)
        }
      }
      pump()
    },
  }
}
