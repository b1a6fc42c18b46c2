// What the components of a cluster need to run apart, each in a directory of its own, so that a container can be given
// its own secrets and nobody else's: certificates, and credentials for NATS. A node's agent needs only the latter.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  loadNatsCredentials,
  natsAuthorization,
  type NatsCredentials,
  type NatsUser,
} from '@shiplog/nats-server/nats-users'
import { kubeconfigText } from './kubeconfig.ts'
import { type Client, loadPki } from './pki.ts'

export interface ComponentFilesOptions {
  readonly directory: string
  readonly nowMs: number
  /** Names and addresses of the gateways. */
  readonly hosts: readonly string[]
  /** Names of nodes whose agents run apart. */
  readonly nodes: readonly string[]
  /** What the administrator's kubeconfig points to. */
  readonly server: string
}

const components: readonly (Client & { readonly nats: NatsUser })[] = [
  { name: 'kube-scheduler', user: 'system:kube-scheduler', nats: 'reader' },
  { name: 'kube-controller-manager', user: 'system:kube-controller-manager', nats: 'reader' },
  { name: 'projector', user: 'system:shiplog-projector', nats: 'reader' },
]

/** Makes what is missing and renews what is about to end. Returns the directories that were written. */
export async function writeComponentFiles(options: ComponentFilesOptions): Promise<readonly string[]> {
  const { directory, nodes } = options
  // Closed to others as a whole; what lies in it may be read by whoever is given it.
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const authority = join(directory, 'authority')
  const pki = loadPki({
    directory: authority,
    nowMs: options.nowMs,
    hosts: options.hosts,
    clients: components,
  })
  const nats = await loadNatsCredentials(join(authority, 'nats-credentials.json'), nodes)
  const written: string[] = []
  const write = (name: string, files: Readonly<Record<string, string>>): void => {
    const place = join(directory, name)
    mkdirSync(place, { recursive: true, mode: 0o755 })
    for (const [file, text] of Object.entries(files)) writeFileSync(join(place, file), text, { mode: 0o644 })
    written.push(place)
  }
  const clientFiles = (name: string): Record<string, string> => {
    const { certificate, key } = pki.clients[name]!
    return { 'ca.crt': pki.ca, 'client.crt': certificate, 'client.key': key }
  }
  const natsFile = (credentials: NatsCredentials | undefined): Record<string, string> => ({
    'nats.json': JSON.stringify(credentials, undefined, 2),
  })

  write('nats', { 'authorization.conf': natsAuthorization(nats) })
  write('api-gateway', {
    'ca.crt': pki.ca,
    'server.crt': pki.server.certificate,
    'server.key': pki.server.key,
    ...natsFile(nats.gateway),
  })
  for (const component of components) {
    write(component.name, { ...clientFiles(component.name), ...natsFile(nats[component.nats]) })
  }
  for (const node of nodes) write(node, natsFile(nats.nodes[node]))
  write('admin', { kubeconfig: kubeconfigText({ server: options.server, ca: pki.ca, ...pki.admin }) })
  return written
}
