// Provides upstream's own control plane, to be measured against: etcd and the Kubernetes binaries, built from their
// published Go modules into the checkout's cache. The modules of Kubernetes refer to one another by paths of their own
// repository; the same versions are published one by one, so a module made here replaces the paths by those.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const kubernetesVersion = '1.36.3'
export const etcdVersion = '3.6.5'

const cache = resolve(import.meta.dirname, '..', '..', '.cache', 'upstream')
/** A cold build of everything takes about ten minutes on two cores, and the better part of an hour where others work too. */
const buildTimeoutMs = 5_400_000

export type Binary = 'etcd' | 'kube-apiserver' | 'kube-scheduler' | 'kube-controller-manager' | 'e2e.test' | 'ginkgo' | 'agnhost' | 'nonewprivs' | 'sample-apiserver'

/** The path of a binary, built now when it is not there yet. Fails with one line when that cannot be done. */
export async function provideUpstream(binary: Binary, progress: (line: string) => void): Promise<string> {
  const version = binary === 'etcd' ? etcdVersion : kubernetesVersion
  const path = join(cache, `${binary}-${version}`)
  if (existsSync(path)) return path
  progress(`building ${binary} ${version}, once: this takes minutes`)
  await mkdir(cache, { recursive: true })
  const directory = await mkdtemp(join(tmpdir(), 'shiplog-upstream-'))
  try {
    await writeFile(join(directory, 'main.go'), mainOf(binary))
    await writeFile(join(directory, 'go.mod'), binary === 'etcd' ? etcdModule : await kubernetesModule(directory))
    await go(directory, 'mod', 'tidy')
    const stamp = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
      .map((place) => `-X ${place}.gitVersion=v${kubernetesVersion}`)
      .join(' ')
    const [verb, ...rest] = buildOf(binary)
    await go(directory, verb, '-ldflags', stamp, '-o', 'built', ...rest)
    await rename(join(directory, 'built'), path).catch(async () => {
      await writeFile(path, await readFile(join(directory, 'built')), { mode: 0o755 })
    })
    return path
  } catch (cause) {
    throw new Error(`${binary} ${version} cannot be built; it needs Go and its module proxy: ${messageOf(cause)}`, {
      cause,
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

// Not written out: it would look like an import of our own.
const goPackage = JSON.stringify('os')

const etcdModule = `module upstream
go 1.26
require go.etcd.io/etcd/server/v3 v${etcdVersion}
`

const etcdMain = `package main

import (
	${goPackage}

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
`

/** The suite is a test binary; `vet` would read all 2,818 packages that it is made of. */
const suite = 'k8s.io/kubernetes/test/e2e'
const runner = 'github.com/onsi/ginkgo/v2/ginkgo'

function buildOf(binary: Binary): readonly [verb: string, ...rest: string[]] {
  switch (binary) {
    case 'e2e.test':
      return ['test', '-c', '-vet=off', suite]
    case 'ginkgo':
      return ['build', runner]
    case 'agnhost':
    case 'nonewprivs':
      return ['build', imagePrograms[binary]]
    case 'sample-apiserver':
      return ['build', sampleServer]
    default:
      return ['build', '.']
  }
}

function mainOf(binary: Binary): string {
  switch (binary) {
    case 'etcd':
      return etcdMain
    case 'e2e.test':
    case 'ginkgo':
      return suiteImports
    case 'agnhost':
    case 'nonewprivs':
      return imageImports(binary)
    case 'sample-apiserver':
      return sampleServerImports
    default:
      return kubernetesMain(binary)
  }
}

/** Holds the versions of the suite and of its runner together. */
const suiteImports = `package main

import (
	_ "${suite}"
	_ "${runner}"
)

func main() {}
`

/** What the suite runs in its pods: its server, and a program that says which user it is. */
const imagePrograms = {
  agnhost: 'k8s.io/kubernetes/test/images/agnhost',
  nonewprivs: 'k8s.io/kubernetes/test/images/nonewprivs',
} as const

const imageImports = (binary: keyof typeof imagePrograms): string => `package main

import (
	_ "${imagePrograms[binary]}"
)

func main() {}
`

/** An API server of somebody else, which the suite puts behind ours. */
const sampleServer = 'k8s.io/sample-apiserver'

const sampleServerImports = `package main

import (
	_ "${sampleServer}"
)

func main() {}
`

type Component = 'kube-apiserver' | 'kube-scheduler' | 'kube-controller-manager'

const commands: Readonly<Record<Component, string>> = {
  'kube-apiserver': 'NewAPIServerCommand',
  'kube-scheduler': 'NewSchedulerCommand',
  'kube-controller-manager': 'NewControllerManagerCommand',
}

const kubernetesMain = (binary: Component): string => `package main

import (
	${goPackage}

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/${binary}/app"
)

func main() { os.Exit(cli.Run(app.${commands[binary]}())) }
`

async function kubernetesModule(directory: string): Promise<string> {
  const required = `k8s.io/kubernetes@v${kubernetesVersion}`
  const found = JSON.parse(await go(directory, 'mod', 'download', '-json', required)) as { readonly GoMod: string }
  const replaced = [...(await readFile(found.GoMod, 'utf8')).matchAll(/^\s*(k8s\.io\/[a-z0-9-]+) => \.\/staging\//gm)]
  const published = `v0.${kubernetesVersion.slice(2)}`
  return [
    'module upstream',
    'go 1.26',
    `require k8s.io/kubernetes v${kubernetesVersion}`,
    ...replaced.map(([, module]) => `replace ${module} => ${module} ${published}`),
    '',
  ].join('\n')
}

/** Runs Go and gives what it printed. */
function go(directory: string, ...args: readonly string[]): Promise<string> {
  return new Promise((settle, reject) => {
    // Linked statically: some of them are all that an image holds.
    const env = { ...process.env, CGO_ENABLED: '0' }
    const child = spawn('go', args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: buildTimeoutMs })
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-2_000)
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) settle(out)
      else reject(new Error(`go ${args[0]} ${args[1]}: ${errors.trim().split('\n').at(-1)}`))
    })
  })
}
