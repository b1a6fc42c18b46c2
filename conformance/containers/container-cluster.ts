// A cluster with nodes of containers as tests use it: started as a user starts it, spoken to with the real kubectl.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { whyNoContainerdNodes } from '@shiplog/node/containerd/containerd-nodes'
import { imageArchive } from '@shiplog/node/containerd/image-archive'
import { provideNodePrograms } from '@shiplog/node/containerd/programs'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { startCluster } from '../src/cluster.ts'
import { type CommandResult, runCommand } from '../src/command.ts'
import { busyboxFiles, searchPath } from './node-image.ts'

export type Json = any

export const busyboxImage = 'tests.example/busybox:1'

/** Why this machine cannot run such tests; said once. */
export async function whyNoContainers(): Promise<string | undefined> {
  const why = whyNoContainerdNodes() ?? (await provideNodePrograms().then(() => undefined, (error: Error) => error.message))
  if (why !== undefined) process.stderr.write(`left out: pods in containers: ${why}\n`)
  return why
}

export interface ContainerCluster extends AsyncDisposable {
  readonly dataDir: string
  /** Of the program that was started. */
  readonly pid: number
  /** Where a test may leave files. */
  readonly directory: string
  readonly kubeconfig: string
  run(args: readonly string[], stdin?: string): Promise<CommandResult>
  /** What it printed; fails with what it complained of. */
  k(...args: string[]): Promise<string>
  apply(...objects: Json[]): Promise<void>
  get(kind: string, name: string): Promise<Json>
  /** Messages of Event objects about a pod, `Reason: message`, each once. */
  events(pod: string): Promise<string[]>
  phase(pod: string, wanted: string): Promise<string>
}

/** With busybox in all nodes. */
export async function startContainerCluster(args: readonly string[] = []): Promise<ContainerCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-containers-'))
  const dataDir = join(directory, 'data')
  const { kubectl } = await provideKubectl()
  const cluster = await startCluster({ log: 'embedded', simulatedNodes: 0, dataDir, args: ['--node', 'containerd', ...args] })
  const run: ContainerCluster['run'] = (rest, stdin) =>
    runCommand(kubectl, ['--kubeconfig', cluster.kubeconfig, ...rest], stdin === undefined ? {} : { stdin })
  const k: ContainerCluster['k'] = async (...rest) => {
    const done = await run(rest)
    assert.equal(done.code, 0, `${rest.join(' ')}: ${done.stderr}`)
    return done.stdout
  }
  const get: ContainerCluster['get'] = async (kind, name) => JSON.parse(await k('get', kind, name, '-o', 'json'))
  const archive = join(directory, 'busybox.tar')
  writeFileSync(archive, imageArchive([busyboxImage], await busyboxFiles(), { Cmd: ['sh'], Env: [searchPath] }))
  const shiplog = resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'src', 'main.ts')
  const loaded = await runCommand(process.execPath, [shiplog, 'image', 'load', '-d', dataDir, archive])
  assert.equal(loaded.code, 0, loaded.stderr)
  return {
    ...{ directory, dataDir, pid: cluster.process.pid!, kubeconfig: cluster.kubeconfig, run, k, get },
    async apply(...objects) {
      const done = await run(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
      assert.equal(done.code, 0, done.stderr)
    },
    async events(pod) {
      const { items } = JSON.parse(await k('get', 'events', '--field-selector', `involvedObject.name=${pod}`, '-o', 'json'))
      return items.map(({ reason, message }: Json) => `${reason}: ${message}`)
    },
    phase: (pod, wanted) => k('wait', `--for=jsonpath={.status.phase}=${wanted}`, `pod/${pod}`, '--timeout=90s'),
    async [Symbol.asyncDispose]() {
      await cluster.remove()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export const podObject = (name: string, spec: Json, metadata: Json = {}): Json => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata } },
  spec: { terminationGracePeriodSeconds: 1, restartPolicy: 'Never', ...spec },
})
