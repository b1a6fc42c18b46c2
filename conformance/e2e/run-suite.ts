// Runs a group of Kubernetes' conformance specs with ginkgo against a fresh cluster of its own.
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type ImageRegistry, startRegistry } from '../containers/image-registry.ts'
import { type Cluster, type LogKind, startCluster } from '../src/cluster.ts'
import { makeSuiteImages } from './images.ts'
import { type GinkgoReport, type Outcome, outcomesOf } from './report.ts'

const run = promisify(execFile)

export interface Programs {
  readonly suite: string
  readonly ginkgo: string
  readonly kubectl: string
}

export interface Group {
  /** `sig-apps`, `sig-apps serial`. */
  readonly name: string
  /** Of ginkgo. */
  readonly labelFilter: string
  /** Specs that want the cluster for themselves run one by one. */
  readonly isSerial: boolean
}

export interface RunOptions {
  readonly log: LogKind
  /** A process of the suite takes about 250 MB. */
  readonly processes: number
  /** After this the group ends and what is left counts as not run. */
  readonly limitMinutes: number
  /** Only the specs that match this regular expression. */
  readonly focus?: string
  /** What runs the pods. */
  readonly node: NodeKind
  /** None of those that match this one. */
  readonly skip?: string
}

export type NodeKind = 'simulated' | 'containerd'

const outputCharactersKept = 4_000
/** Time for the suite to clean up after its limit, before it is killed. */
const graceMs = 240_000
const nodes = 3
/** What specs name where a rollout is to stall: images that no registry has. A simulated node cannot know. */
const missingImages = 'foo:non-existent,webserver:404'
/** Upstream's tokens of paged lists live for five minutes; the suite waits for their end. */
const tokenLifetimeSeconds = 300

/** What simulated nodes cannot pull, as a registry would not have it. */
async function nameMissingImages({ kubectl }: Programs, kubeconfig: string): Promise<void> {
  const annotation = `simulated.shiplog.dev/missing-images=${missingImages}`
  await run(kubectl, ['--kubeconfig', kubeconfig, 'annotate', 'nodes', '--all', annotation])
}

/** The outcomes of the group; `said` is told of what the suite prints. */
export async function runGroup(
  programs: Programs,
  group: Group,
  options: RunOptions,
  said: (text: string) => void,
): Promise<readonly Outcome[]> {
  const directory = await mkdtemp(join(tmpdir(), 'shiplog-e2e-'))
  const runs = options.node === 'containerd'
  const registry = runs ? await startRegistry() : undefined
  const cluster = await startCluster({
    log: options.log,
    simulatedNodes: runs ? 0 : nodes,
    args: [
      ...['--continue-token-lifetime', String(tokenLifetimeSeconds)],
      ...(registry ? ['--node', 'containerd', '--nodes', String(nodes), '--registry-mirror', `http://${registry.address}`] : []),
    ],
  })
  let output = ''
  try {
    if (registry) await loadImages(cluster, registry, directory)
    else await nameMissingImages(programs, cluster.kubeconfig)
    // Ginkgo takes a program for a suite by its name.
    await symlink(programs.suite, join(directory, 'e2e.test'))
    await runGinkgo(
      programs.ginkgo,
      argumentsOf(programs, group, options, directory, cluster.kubeconfig),
      (text) => {
        output = (output + text).slice(-outputCharactersKept)
        said(text)
      },
      {
        cwd: directory,
        killAfterMs: options.limitMinutes * 60_000 + graceMs,
      },
    )
    const report = await readFile(join(directory, 'report.json'), 'utf8').catch(() => {
      throw new Error(`ginkgo left no report:\n${output}`)
    })
    return outcomesOf(JSON.parse(report) as GinkgoReport)
  } finally {
    await cluster.remove()
    await registry?.close()
    await rm(directory, { recursive: true, force: true })
  }
}

async function loadImages({ dataDir }: Cluster, registry: ImageRegistry, directory: string): Promise<void> {
  const archives = await makeSuiteImages(directory, registry, () => undefined)
  const shiplog = resolve(import.meta.dirname, '..', '..', 'apps', 'cli', 'src', 'main.ts')
  await run(process.execPath, [shiplog, 'image', 'load', '--data-dir', dataDir, ...archives])
  for (const archive of archives) await rm(archive)
}

const argumentsOf = (
  { kubectl }: Programs,
  { labelFilter, isSerial }: Group,
  { processes, limitMinutes, focus, skip }: RunOptions,
  directory: string,
  kubeconfig: string,
): readonly string[] => [
  `--procs=${isSerial ? 1 : processes}`,
  `--label-filter=${labelFilter}`,
  `--timeout=${limitMinutes}m`,
  '--keep-going',
  '--no-color',
  '--json-report=report.json',
  `--output-dir=${directory}`,
  ...(focus === undefined ? [] : [`--focus=${focus}`]),
  ...(skip === undefined ? [] : [`--skip=${skip}`]),
  'e2e.test',
  '--',
  '--provider=skeleton',
  `--kubeconfig=${kubeconfig}`,
  `--kubectl-path=${kubectl}`,
  `--num-nodes=${nodes}`,
  '--allowed-not-ready-nodes=0',
  '--disable-log-dump',
]

/** Ginkgo in a process group of its own, so that its processes go with it. Its exit code says no more than the report. */
function runGinkgo(
  ginkgo: string,
  args: readonly string[],
  said: (text: string) => void,
  { cwd, killAfterMs }: { readonly cwd: string; readonly killAfterMs: number },
): Promise<void> {
  const child = spawn(ginkgo, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.setEncoding('utf8').on('data', said)
  child.stderr.setEncoding('utf8').on('data', said)
  const kill = (): void => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // Already gone.
    }
  }
  const timer = setTimeout(kill, killAfterMs)
  process.once('exit', kill)
  return new Promise((settle, reject) => {
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      process.off('exit', kill)
      settle()
    })
  })
}
