// By which address other machines know this one.
import { networkInterfaces } from 'node:os'

/** The first IPv4 address that is not loopback, else loopback. */
export function machineAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) if (family === 'IPv4' && !internal) return address
  }
  return '127.0.0.1'
}
