// Which endpoint a request goes to: each in turn, or the one of the client's cookie.
import { createHash } from 'node:crypto'
import type { Endpoint } from '../model/backends.ts'

/** As ingress-nginx calls it. */
export const stickyCookie = 'INGRESSCOOKIE'
const countersMax = 10_000

export interface Balancer {
  /** `tried` are left out while there are others. */
  pick(service: string, endpoints: readonly Endpoint[], tried: readonly Endpoint[], cookie: string | undefined): Endpoint | undefined
}

export function createBalancer(): Balancer {
  const counters = new Map<string, number>()
  return {
    pick(service, endpoints, tried, cookie) {
      const left = endpoints.filter((one) => !tried.some(({ address, port }) => one.address === address && one.port === port))
      if (left.length === 0) return undefined
      const wanted = cookie === undefined ? undefined : left.find((one) => cookieOf(one) === cookie)
      if (wanted !== undefined) return wanted
      const count = counters.get(service) ?? 0
      // Where a count is lost the turn begins anew, and nothing else.
      if (counters.size >= countersMax && !counters.has(service)) counters.clear()
      counters.set(service, (count + 1) % Number.MAX_SAFE_INTEGER)
      return left[count % left.length]
    },
  }
}

/** Says nothing of the address to who has it. */
export const cookieOf = ({ address, port }: Endpoint): string =>
  createHash('sha256').update(`${address}:${port}`).digest('hex').slice(0, 32)

/** The value of our cookie in Cookie headers. */
export function cookieIn(headers: readonly string[]): string | undefined {
  for (const header of headers)
    for (const part of header.split(';')) {
      const [name, value] = part.trim().split('=', 2)
      if (name === stickyCookie) return value
    }
  return undefined
}
