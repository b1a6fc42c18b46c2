// By which address other machines know this one.
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

/** The first IPv4 address that is not loopback, else loopback. */
export function machineAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) if (family === 'IPv4' && !internal) return address
  }
  return '127.0.0.1'
}

const isLoopback = (address: string): boolean => address === 'localhost' || address === '::1' || address.startsWith('127.')
const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::'

/**
 * What a server that listens on `host` tells others of itself: upstream's rule for --advertise-address. Endpoints may not be
 * loopback, so a server that listens there alone tells the machine's address, as upstream's does.
 */
export const advertisedAddress = (host: string): string =>
  isIP(host) === 0 || isLoopback(host) || isWildcard(host) ? machineAddress() : host
