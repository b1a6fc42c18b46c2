// Upstream's components as processes, and those that work against any cluster's kubeconfig, upstream's or ours: its
// scheduler and its controllers are the most demanding clients there are.
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { provideUpstream } from './provide.ts'

/** A running component of upstream. */
export interface UpstreamComponent {
  readonly pid: number
  readonly exited: boolean
  /** The last of what it wrote. */
  output(): string
  /** SIGTERM, then SIGKILL; safe to call twice. */
  stop(): Promise<void>
}

const stopTimeoutMs = 10_000
const outputCharactersMax = 1_000_000

export function runComponent(path: string, args: readonly string[], onEnd?: () => void): UpstreamComponent {
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-outputCharactersMax)
    })
  }
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null
  return {
    pid: child.pid!,
    get exited() {
      return hasExited()
    },
    output: () => output,
    async stop() {
      if (!hasExited()) {
        const ended = new Promise((done) => child.once('exit', done))
        child.kill('SIGTERM')
        const late = new AbortController()
        const killed = clock.sleep(stopTimeoutMs, late.signal).then(() => child.kill('SIGKILL'))
        killed.catch(() => undefined)
        await Promise.race([ended, killed])
        late.abort()
      }
      onEnd?.()
    },
  }
}

/** Runs a component on files of its own, which go with it. */
function withFiles(
  path: string,
  make: (file: (name: string, text: string) => string) => readonly string[],
): UpstreamComponent {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-upstream-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  return runComponent(path, make(file), () => rmSync(directory, { recursive: true, force: true }))
}

/** Upstream's scheduler, for pods that ask for this name, as scheduler_perf runs it: without a limit on its requests. */
export async function runScheduler(
  kubeconfig: string,
  schedulerName: string,
  progress: (line: string) => void,
): Promise<UpstreamComponent> {
  return withFiles(await provideUpstream('kube-scheduler', progress), (file) => [
    ...['--config', file('scheduler.yaml', schedulerConfiguration(kubeconfig, schedulerName))],
    ...['--secure-port', '0'],
  ])
}

const schedulerConfiguration = (kubeconfig: string, schedulerName: string): string => `\
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {kubeconfig: ${JSON.stringify(kubeconfig)}, qps: 5000, burst: 5000}
leaderElection: {leaderElect: true, resourceName: upstream-scheduler}
profiles:
- schedulerName: ${schedulerName}
`

/** Upstream's controller manager with these controllers: `statefulset-controller`. */
export async function runControllers(
  kubeconfig: string,
  controllers: readonly string[],
  progress: (line: string) => void,
  flags: readonly string[] = [],
): Promise<UpstreamComponent> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return withFiles(await provideUpstream('kube-controller-manager', progress), (file) => [
    ...['--kubeconfig', kubeconfig, '--controllers', controllers.join(','), ...flags],
    ...['--leader-elect-resource-name', 'upstream-controller-manager', '--secure-port', '0'],
    ...[
      '--service-account-private-key-file',
      file('key.pem', privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()),
    ],
  ])
}
