// Reads the kubeconfig that a cluster wrote, for the requests that the suites make without kubectl. kubectl itself turns
// it into JSON, so that no YAML parser is needed and the file is read as its users read it.
import { readFileSync } from 'node:fs'
import { runCommand } from './command.ts'

export interface Credentials {
  /** `https://127.0.0.1:6443`. */
  readonly server: string
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
}

interface Config {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[]
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[]
}

export async function readKubeconfig(kubectl: string, path: string): Promise<Credentials> {
  const result = await runCommand(kubectl, ['config', 'view', '--raw', '--minify', '-o', 'json', '--kubeconfig', path])
  if (result.code !== 0) throw new Error(`kubectl cannot read ${path}: ${result.stderr}`)
  const config = JSON.parse(result.stdout) as Config
  const cluster = config.clusters[0]?.cluster ?? {}
  const user = config.users[0]?.user ?? {}
  const material = (holder: Readonly<Record<string, string>>, name: string): Buffer => {
    const data = holder[`${name}-data`]
    if (data !== undefined) return Buffer.from(data, 'base64')
    const file = holder[name]
    if (file === undefined) throw new Error(`${path} has no ${name}`)
    return readFileSync(file)
  }
  return {
    server: cluster['server'] ?? '',
    ca: material(cluster, 'certificate-authority'),
    cert: material(user, 'client-certificate'),
    key: material(user, 'client-key'),
  }
}
