// Where images come from instead of where their names say: for containerd, a file for each registry, read at every pull. A
// registry on the loopback of the machine is reached through the door, since that is nobody else's loopback.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { doorAddress } from './network.ts'

export interface RegistryMirror {
  /** The registry of names: `docker.io`, `ghcr.io`, `reg.example:5000`; `_default`: all others. */
  readonly registry: string
  /** `http://127.0.0.1:5000`; images have the same path there. */
  readonly url: string
}

/** From here on the door lets in to mirrors, one port each. */
export const firstMirrorPort = 5_001
export const mirrorsMax = 16

/** `http://HOST`, or `REGISTRY=http://HOST`. Throws with a sentence for people. */
export function parseRegistryMirror(text: string): RegistryMirror {
  const [, registry = '_default', address = ''] = /^(?:([^=/]+)=)?(.*)$/.exec(text) ?? []
  if (registry !== '_default' && !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i.test(registry)) throw new Error(`${registry} is no registry`)
  const url = URL.parse(address)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error('the address of a registry, please: http://127.0.0.1:5000 or docker.io=https://mirror.example')
  if (url.username || url.search || url.hash) throw new Error('an address without name, password and query, please: credentials are in pull secrets')
  if (isLoopback(url) && url.protocol === 'https:') throw new Error('a registry on this machine is asked without TLS: http, please')
  if (isLoopback(url) && url.pathname !== '/') throw new Error('a registry on this machine has no path')
  return { registry, url: url.href.replace(/\/$/, '') }
}

const isLoopback = ({ hostname }: URL): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)

/** A port of this machine that sits behind one of the door. */
export interface MirrorPort {
  readonly insidePort: number
  readonly host: string
  readonly port: number
}

/** The mirrors as nodes call them, and what the door has to let in to. */
export function placeMirrors(mirrors: readonly RegistryMirror[]): { readonly mirrors: readonly RegistryMirror[]; readonly ports: readonly MirrorPort[] } {
  const ports: MirrorPort[] = []
  const placed = mirrors.map((mirror): RegistryMirror => {
    const url = new URL(mirror.url)
    if (!isLoopback(url)) return mirror
    const [host, port] = [url.hostname.replace(/^\[|\]$/g, ''), Number(url.port || 80)]
    const known = ports.find((other) => other.host === host && other.port === port)
    const { insidePort } = known ?? { insidePort: firstMirrorPort + ports.length }
    if (known === undefined) ports.push({ insidePort, host, port })
    return { ...mirror, url: `http://${doorAddress}:${insidePort}` }
  })
  return { mirrors: placed, ports }
}

/** Of one registry: where it is asked, and that it is asked nowhere else. */
const hostsFile = (url: string): string =>
  [`server = ${JSON.stringify(url)}`, `[host.${JSON.stringify(url)}]`, '  capabilities = ["pull", "resolve"]', ''].join('\n')

/** Replaces what an earlier life wrote. */
export function writeMirrors(certsDir: string, mirrors: readonly RegistryMirror[]): void {
  mkdirSync(certsDir, { recursive: true, mode: 0o711 })
  const wanted = new Set(mirrors.map(({ registry }) => registry))
  for (const name of readdirSync(certsDir)) if (!wanted.has(name)) rmSync(join(certsDir, name), { recursive: true, force: true })
  for (const { registry, url } of mirrors) {
    mkdirSync(join(certsDir, registry), { recursive: true, mode: 0o755 })
    writeFileSync(join(certsDir, registry, 'hosts.toml'), hostsFile(url))
  }
}
