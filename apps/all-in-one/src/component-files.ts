// What the components of a cluster need to run apart, each in a directory of its own, so that a container can be given
// its own secrets and nobody else's: certificates, and credentials for NATS. A node's agent needs only the latter.
import { chownSync } from 'node:fs'
import { join } from 'node:path'
import {
  loadNatsCredentials,
  natsAuthorization,
  type NatsCredentials,
  type NatsUser,
} from '@shiplog/nats-server/nats-users'
import { configurationFileIn, ensureConfigurationFile, readConfigurationFile } from '@shiplog/encryption/configuration-file'
import { secretDirectory, writeSecretFile } from '@shiplog/runtime/secret-files'
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
  /** Whose the files of components without rights of their own on the machine are to be: containers run as another user. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
}

const components: readonly (Client & { readonly nats: NatsUser })[] = [
  { name: 'kube-scheduler', user: 'system:kube-scheduler', nats: 'reader' },
  { name: 'kube-controller-manager', user: 'system:kube-controller-manager', nats: 'reader' },
  { name: 'projector', user: 'system:shiplog-projector', nats: 'reader' },
]

export interface ComponentFiles {
  /** The directories that were written. */
  readonly directories: readonly string[]
  /** What somebody must know who has copies of them. */
  readonly notes: readonly string[]
}

/** Makes what is missing and renews what is about to end. */
export async function writeComponentFiles(options: ComponentFilesOptions): Promise<ComponentFiles> {
  const { directory, nodes } = options
  secretDirectory(directory)
  const authority = join(directory, 'authority')
  const pki = loadPki({
    directory: authority,
    nowMs: options.nowMs,
    hosts: options.hosts,
    clients: components,
  })
  const nats = await loadNatsCredentials(join(authority, 'nats-credentials.json'), nodes)
  const written: string[] = []
  const write = (name: string, files: Readonly<Record<string, string>>, owner?: ComponentFilesOptions['owner']): void => {
    const place = join(directory, name)
    secretDirectory(place)
    for (const [file, text] of Object.entries(files)) {
      writeSecretFile(join(place, file), text)
      if (owner) chownSync(join(place, file), owner.uid, owner.gid)
    }
    if (owner) chownSync(place, owner.uid, owner.gid)
    written.push(place)
  }
  const clientFiles = (name: string): Record<string, string> => {
    const { certificate, key } = pki.clients[name]!
    return { 'ca.crt': pki.ca, 'client.crt': certificate, 'client.key': key }
  }
  const natsFile = (credentials: NatsCredentials | undefined): Record<string, string> => ({
    'nats.json': JSON.stringify(credentials, undefined, 2),
  })

  // Of those who read the log these have to do with what Secrets hold; a scheduler has not, and agents never see it.
  const encryptionFile = ensureConfigurationFile(configurationFileIn(authority), 'first')
  const encryption = { 'encryption.yaml': readConfigurationFile(encryptionFile) }

  write('nats', { 'authorization.conf': natsAuthorization(nats) })
  write('api-gateway', {
    'ca.crt': pki.ca,
    'server.crt': pki.server.certificate,
    'server.key': pki.server.key,
    'front-proxy-ca.crt': pki.frontProxy.ca,
    'front-proxy.crt': pki.frontProxy.certificate,
    'front-proxy.key': pki.frontProxy.key,
    'sa.key': pki.serviceAccountKey,
    'sa.pub': pki.serviceAccountPublicKeys,
    ...encryption,
    ...natsFile(nats.gateway),
  })
  // The controllers sign: tokens that lie in Secrets, and the certificates that were approved.
  const signing: Record<string, Record<string, string>> = {
    'kube-controller-manager': { 'sa.key': pki.serviceAccountKey, 'ca.key': pki.caKey, ...encryption },
    projector: encryption,
  }
  for (const { name, nats: user } of components) {
    write(name, { ...clientFiles(name), ...signing[name], ...natsFile(nats[user]) }, options.owner)
  }
  for (const node of nodes) write(node, natsFile(nats.nodes[node]), options.owner)
  write('admin', { kubeconfig: kubeconfigText({ server: options.server, ca: pki.ca, ...pki.admin }) })
  return { directories: written, notes: pki.notes }
}
