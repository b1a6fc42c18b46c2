// Nodes of containers on this machine: each a containerd in network, mount and process namespaces of its own, joined by a
// small network. What an earlier life left running is taken up again; a stop, or the start after a crash with fewer nodes,
// leaves neither processes nor mounts nor cgroups behind.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@shiplog/runtime/clock'
import { containerdConfig, containerdSocket, podNetwork } from './containerd-config.ts'
import { createDial, type Dial, doorIsOpen, doorSocket, letIn, letInAt } from './door.ts'
import { endHolder, findHolder, holders, startHolder } from './holder.ts'
import { apiPort, connectNode, connectProgram, doorAddress, nodeAddress, type NetworkedNode, prepareBridge } from './network.ts'
import { pauseArchive } from './pause-image.ts'
import type { NodePrograms } from './programs.ts'
import { placeMirrors, type RegistryMirror, writeMirrors } from './registry-mirrors.ts'
import { openWayOut } from './way-out.ts'

const run = promisify(execFile)

const readyTimeoutMs = 30_000
const pollMs = 20
const importTimeoutMs = 300_000
/** As `ctr` calls it. */
const loadVerb = `import`
const runTmpfsBytes = 256 << 20
const cgroupMount = '/sys/fs/cgroup'
const cgroupTriesMax = 50

export interface ContainerdNodesOptions {
  /** Of all these nodes; absolute, made when it is not there. */
  readonly directory: string
  readonly nodes: readonly { readonly name: string; readonly podCIDRs: readonly string[] }[]
  readonly programs: NodePrograms
  readonly clock: Clock
  /** Programs that serve the nodes, each kept running in a network namespace of its own: the cluster's DNS. */
  readonly networkPrograms?: readonly NetworkProgram[]
  /** Where images come from instead of where their names say. */
  readonly registryMirrors?: readonly RegistryMirror[]
  /** The door's program; in a bundle it lies elsewhere. */
  readonly doorProgram?: string
}

export interface NetworkProgram {
  /** Unlike that of any node. */
  readonly name: string
  readonly program: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface ContainerdNode {
  readonly name: string
  readonly directory: string
  readonly address: string
  /** The first process of its namespaces. */
  readonly holderPid: number
  readonly criSocket: string
  /** Parent of the cgroups of its pods. */
  readonly cgroupParent: string
  readonly containerdVersion: string
  /** Puts an archive of images into the node; gives the names of what it held. */
  loadImages(archive: string): Promise<readonly string[]>
}

export interface ContainerdNodes {
  readonly nodes: readonly ContainerdNode[]
  /** Pods reach the world, where the machine does. */
  readonly hasWayOut: boolean
  /** Connects to an address of a node or of a pod. */
  readonly dial: Dial
  /** The same for other processes of this machine: `dialThrough` of door.ts. */
  readonly doorSocket: string
  /** Inside, the API is at `https://172.30.0.1:6443`, where the endpoint of its Service is. */
  serveApi(port: number): Promise<Disposable>
  /** Ends everything that runs in the nodes, at once, and removes what that leaves. */
  stop(): Promise<void>
}

/** Why this machine cannot have such nodes; undefined when it can. One line for people. */
export function whyNoContainerdNodes(): string | undefined {
  if (process.platform !== 'linux') return 'nodes of containers need Linux'
  if (process.getuid?.() !== 0) return 'nodes of containers need root: containerd mounts file systems and makes namespaces'
  const missing = ['unshare', 'nsenter', 'ip', 'mount'].filter((name) => !isOnPath(name))
  if (missing.length > 0) return `nodes of containers need ${missing.join(' and ')} (packages util-linux and iproute2)`
  if (!existsSync(cgroupMount)) return 'nodes of containers need cgroups'
  return undefined
}

const isOnPath = (name: string): boolean =>
  `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':').some((dir) => dir !== '' && existsSync(join(dir, name)))

/** Starts the nodes, or takes up those that still run; resolves when their containerds answer. */
export async function startContainerdNodes(options: ContainerdNodesOptions): Promise<ContainerdNodes> {
  const { nodes, clock, networkPrograms = [] } = options
  const directory = resolve(options.directory)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // What goes on while nobody looks after it is not to stop now.
  const wanted = [...nodes, ...networkPrograms].map(({ name }) => name)
  await sweepOthers(directory, new Set(['door', ...wanted]), clock)
  await sweepCgroups(clock)
  const doorPid = await startDoor(directory, options)
  const started = await Promise.all(nodes.map((node, index) => startNode(directory, options, node, index)))
  const networked = started.map(({ holderPid }, index): NetworkedNode => ({ index, holderPid, podCIDRs: nodes[index]!.podCIDRs }))
  for (const node of networked) await connectNode(doorPid, node, networked.filter((other) => other !== node))
  for (const [index, program] of networkPrograms.entries()) {
    const holderPid = await startProgram(directory, program, clock)
    await connectProgram(doorPid, { index, holderPid })
  }
  await Promise.all(started.map((node) => containerdAnswers(node, options)))
  const { mirrors, ports } = placeMirrors(options.registryMirrors ?? [])
  for (const node of started) writeMirrors(join(node.directory, 'certs.d'), mirrors)
  const open = await Promise.all(ports.map((port) => letInAt(doorPid, port)))
  const { pasta, nft } = options.programs
  const hasWayOut = pasta !== undefined && (await openWayOut({ doorPid, directory: doorMark(directory), pasta, nft, clock }))
  return {
    ...{ nodes: started, hasWayOut },
    dial: createDial(doorPid),
    doorSocket: doorSocket(doorPid),
    serveApi: (port) => letIn(doorPid, port),
    async stop() {
      for (const port of open) port[Symbol.dispose]()
      await endContainerdNodes(directory, clock)
    },
  }
}

const doorMark = (directory: string): string => join(directory, 'door')
const nodeDirectory = (directory: string, name: string): string => join(directory, name)

/** Ends all that nodes of this directory left running. Safe to call when there is nothing. */
export async function endContainerdNodes(directory: string, clock: Clock): Promise<void> {
  const home = resolve(directory)
  await sweepOthers(home, new Set(), clock)
  await endHolder(doorMark(home), clock)
  await sweepCgroups(clock)
}

async function sweepOthers(directory: string, wanted: ReadonlySet<string>, clock: Clock): Promise<void> {
  const names = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { name } of names.filter((entry) => !wanted.has(entry.name))) {
    await endHolder(nodeDirectory(directory, name), clock)
    await removeCgroups(`${clusterCgroup(directory)}/${name}`, clock)
  }
}

/** Removes the cgroups of clusters of which nothing runs any more: of this one, and of those that ended otherwise. */
async function sweepCgroups(clock: Clock): Promise<void> {
  const alive = new Set([...holders().keys()].map((mark) => clusterCgroup(dirname(mark))))
  const found = cgroupRoots().flatMap((root) => readdirSync(root).filter((name) => /^shiplog-[0-9a-f]{12}$/.test(name)))
  for (const name of new Set(found)) if (!alive.has(name)) await removeCgroups(name, clock)
}

/** The one hierarchy of version 2, or each of version 1. */
const cgroupRoots = (): string[] => [
  cgroupMount,
  ...readdirSync(cgroupMount, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(cgroupMount, name)),
]

const clusterCgroup = (directory: string): string =>
  `shiplog-${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`

/** A cgroup that held processes until now may refuse for a moment. */
async function removeCgroups(path: string, clock: Clock): Promise<void> {
  for (const root of cgroupRoots().map((dir) => join(dir, path)).filter((dir) => existsSync(dir))) {
    for (let tries = 0; tries < cgroupTriesMax && existsSync(root); tries++) {
      removeTree(root)
      if (existsSync(root)) await clock.sleep(pollMs)
    }
  }
}

function removeTree(dir: string): void {
  try {
    for (const entry of readdirSync(dir, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(dir, entry.name))
    rmdirSync(dir)
  } catch {
    // Busy, or gone: the caller looks again.
  }
}

async function startDoor(directory: string, { clock, doorProgram }: ContainerdNodesOptions): Promise<number> {
  const mark = doorMark(directory)
  mkdirSync(mark, { recursive: true, mode: 0o700 })
  const program = doorProgram ?? join(import.meta.dirname, 'door-main.ts')
  const pid =
    findHolder(mark) ??
    (await startHolder({
      ...{ mark, clock },
      prepare: prepareBridge,
      program: [process.execPath, program, doorAddress, String(apiPort)],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin' },
      logFile: join(mark, 'log'),
    }))
  const deadlineMs = clock.nowMs() + readyTimeoutMs
  while (!doorIsOpen(pid)) {
    if (clock.nowMs() > deadlineMs) throw new Error(`the network of the nodes does not come up; ${join(mark, 'log')} says why`)
    await clock.sleep(pollMs)
  }
  return pid
}

async function startProgram(directory: string, { name, program, env }: NetworkProgram, clock: Clock): Promise<number> {
  const mark = nodeDirectory(directory, name)
  mkdirSync(mark, { recursive: true, mode: 0o700 })
  const path = { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin' }
  const prepare = ['mount --make-rprivate /', 'mount -t tmpfs -o mode=0755,size=1m tmpfs /run']
  return findHolder(mark) ?? (await startHolder({ mark, clock, prepare, program, env: { ...path, ...env }, logFile: join(mark, 'log') }))
}

async function startNode(
  directory: string,
  { programs, clock }: ContainerdNodesOptions,
  { name, podCIDRs }: { readonly name: string; readonly podCIDRs: readonly string[] },
  index: number,
): Promise<ContainerdNode> {
  const home = nodeDirectory(directory, name)
  const paths = { root: join(home, 'root'), cni: join(home, 'cni'), certs: join(home, 'certs.d'), ipam: join(home, 'ipam') }
  for (const path of [home, ...Object.values(paths)]) mkdirSync(path, { recursive: true, mode: 0o711 })
  const address = nodeAddress(index)
  const config = join(home, 'config.toml')
  const input = { rootDir: paths.root, cniConfDir: paths.cni, cniBinDir: programs.cniDir, certsDir: paths.certs }
  writeFileSync(
    config,
    containerdConfig({ ...input, version: programs.containerdVersion, runc: programs.runc, streamAddress: address }),
  )
  writeFileSync(join(paths.cni, '10-shiplog.conflist'), JSON.stringify(podNetwork({ podCIDRs, dataDir: paths.ipam })))
  let holderPid = findHolder(home)
  if (holderPid === undefined) {
    // Every pod is over: what an earlier life wrote down of addresses holds no more.
    rmSync(paths.ipam, { recursive: true, force: true })
    holderPid = await startHolder({
      ...{ mark: home, clock },
      prepare: [
        'mount --make-rshared /',
        `mount -t tmpfs -o mode=0755,size=${runTmpfsBytes} tmpfs /run`,
        `mkdir -p ${dirname(containerdSocket)}`,
        // Streams are served at the address that the node gets in a moment.
        'echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind',
      ],
      program: [programs.containerd, '-c', config],
      env: { PATH: [...programs.path, process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(':') },
      logFile: join(home, 'containerd.log'),
    })
  }
  const criSocket = `/proc/${holderPid}/root${containerdSocket}`
  return {
    ...{ name, address, holderPid, criSocket },
    directory: home,
    cgroupParent: `/${clusterCgroup(directory)}/${name}`,
    containerdVersion: programs.containerdVersion,
    loadImages: (archive) => loadImages(programs, criSocket, archive),
  }
}

/** Nodes of a directory that run now, whoever started them: name and socket of each. */
export function runningNodes(directory: string): { readonly name: string; readonly criSocket: string }[] {
  const home = resolve(directory)
  if (!existsSync(home)) return []
  return readdirSync(home).flatMap((name) => {
    const pid = name === 'door' ? undefined : findHolder(nodeDirectory(home, name))
    // Programs that serve the nodes have no containerd.
    return pid === undefined || !existsSync(join(home, name, 'config.toml')) ? [] : [{ name, criSocket: `/proc/${pid}/root${containerdSocket}` }]
  })
}

/** Where `ctr` lies: with containerd. */
const ctrOf = ({ containerd }: NodePrograms): string => join(dirname(containerd), 'ctr')

/** Puts an archive of images into a node; gives the names of what it held. */
export async function loadImages(programs: NodePrograms, criSocket: string, archive: string): Promise<readonly string[]> {
  // Newer ones would else unpack elsewhere than where pods look.
  const local = programs.containerdVersion.startsWith('2.') ? ['--local'] : []
  const args = ['-a', criSocket, '-n', 'k8s.io', 'images', loadVerb, ...local, archive]
  const { stdout } = await run(ctrOf(programs), args, { timeout: importTimeoutMs, maxBuffer: 8 << 20 })
  return stdout.split('\n').flatMap((line) => /^(?:unpacking )?(\S+?)(?:@sha256:\S+)?\s/.exec(line)?.[1] ?? [])
}

/** Waits for containerd, and gives it the image that holds pods open. */
async function containerdAnswers(node: ContainerdNode, { clock, programs }: ContainerdNodesOptions): Promise<void> {
  const archive = join(node.directory, 'pause.tar')
  writeFileSync(archive, pauseArchive())
  const deadlineMs = clock.nowMs() + readyTimeoutMs
  for (;;) {
    try {
      await run(ctrOf(programs), ['-a', node.criSocket, 'version'], { timeout: readyTimeoutMs })
      await node.loadImages(archive)
      return
    } catch (cause) {
      if (clock.nowMs() > deadlineMs)
        throw new Error(`containerd of node ${node.name} does not answer; ${join(node.directory, 'containerd.log')} says why`, {
          cause,
        })
      await clock.sleep(pollMs)
    }
  }
}
