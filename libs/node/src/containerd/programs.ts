// Provides the programs of a node of containers: containerd, runc, the CNI plugins and nft. They are taken from the machine
// when it has them all; else from the newest packages of its distribution, downloaded through a private apt directory and
// unpacked into the checkout's cache. Nothing of the system's is touched. What is found is run once before it is believed.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { privateApt } from '../private-apt.ts'

const run = promisify(execFile)

const root = resolve(import.meta.dirname, '..', '..', '..', '..')
const defaultCacheDir = join(root, '.cache', 'containerd')

const askTimeoutMs = 20_000
const fetchTimeoutMs = 300_000
/** CNI plugins of a machine that has its own. */
const systemCniDirs = ['/opt/cni/bin', '/usr/lib/cni']
const cniPlugins = ['bridge', 'host-local', 'loopback', 'portmap']

/** Programs of a node, all checked. */
export interface NodePrograms {
  /** Directories to be searched before PATH: containerd looks for its shim there. */
  readonly path: readonly string[]
  readonly containerd: string
  readonly containerdVersion: string
  readonly runc: string
  readonly cniDir: string
  readonly nft: string
  /** Forgets connections; a machine may have none. */
  readonly conntrack: string | undefined
  /** Speaks for the nodes in the world; a machine may have none. */
  readonly pasta: string | undefined
  /** `machine`, `cache` or `packages`. */
  readonly how: string
}

export interface ProvideProgramsOptions {
  /** False: look only, download nothing. Default true. */
  readonly fetch?: boolean
  readonly progress?: (line: string) => void
  readonly cacheDir?: string
}

/** Finds or downloads them; rejects with one line that says what is missing. */
export async function provideNodePrograms(options: ProvideProgramsOptions = {}): Promise<NodePrograms> {
  const cacheDir = options.cacheDir ?? defaultCacheDir
  const own = await ofMachine()
  if (own !== undefined) return own
  const unpacked = join(cacheDir, 'root')
  const cached = await ofRoot(unpacked, 'cache').catch(() => undefined)
  if (cached !== undefined) return cached
  if (options.fetch === false) throw new Error('containerd, runc, CNI plugins and nft are not all there')
  options.progress?.('downloading containerd, runc, CNI plugins and nft, once: about 50 MB')
  try {
    await fetchPackages(cacheDir)
    return await ofRoot(unpacked, 'packages')
  } catch (cause) {
    throw new Error(
      `containerd, runc, CNI plugins and nft are not all on this machine, and its packages cannot be had: ${messageOf(cause)}`,
      { cause },
    )
  }
}

/**
 * A statically linked busybox: what images of tests are made of. It is 1.37, as the name of the image in Kubernetes' suite says,
 * for the suite reads its words: the shell of 1.38 puts a line number into its errors.
 */
export async function provideBusybox(options: ProvideProgramsOptions = {}): Promise<string> {
  const cacheDir = options.cacheDir ?? defaultCacheDir
  const busybox = join(cacheDir, 'busybox-1.37', 'usr', 'bin', 'busybox')
  if (!existsSync(busybox)) await unpackPackages(cacheDir, 'busybox-1.37', ['busybox-static'], { release: 'trixie' })
  return busybox
}

/** A root with what Kubernetes' suite runs in its pods to try a network: nc, dig, getent and a shell that finds them, with their libraries. */
export async function provideNetworkTools(options: ProvideProgramsOptions = {}): Promise<string> {
  const cacheDir = options.cacheDir ?? defaultCacheDir
  const unpacked = join(cacheDir, 'network-tools')
  if (!existsSync(join(unpacked, 'usr', 'bin', 'getent'))) await unpackPackages(cacheDir, 'network-tools', ['netcat-openbsd', 'bind9-dnsutils', 'dash', 'libc-bin'])
  return unpacked
}

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1) ?? ''

async function ofMachine(): Promise<NodePrograms | undefined> {
  try {
    const [containerd, runc, nft, conntrack, pasta] = await Promise.all(
      ['containerd', 'runc', 'nft', 'conntrack', 'pasta'].map(onPath),
    )
    const cniDir = systemCniDirs.find((dir) => cniPlugins.every((plugin) => existsSync(join(dir, plugin))))
    if (containerd === undefined || runc === undefined || nft === undefined || cniDir === undefined) return undefined
    return await checked({ path: [], containerd, runc, nft, conntrack, pasta, cniDir, how: 'machine' })
  } catch {
    return undefined
  }
}

async function onPath(name: string): Promise<string | undefined> {
  for (const dir of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    const path = join(dir || '.', name)
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path
  }
  return undefined
}

const ofRoot = (unpacked: string, how: string): Promise<NodePrograms> =>
  checked({
    path: [join(unpacked, 'usr', 'bin'), join(unpacked, 'usr', 'sbin')],
    containerd: join(unpacked, 'usr', 'bin', 'containerd'),
    runc: join(unpacked, 'usr', 'sbin', 'runc'),
    nft: join(unpacked, 'usr', 'sbin', 'nft'),
    conntrack: join(unpacked, 'usr', 'sbin', 'conntrack'),
    pasta: join(unpacked, 'usr', 'bin', 'pasta'),
    cniDir: join(unpacked, 'usr', 'lib', 'cni'),
    how,
  })

async function checked(programs: Omit<NodePrograms, 'containerdVersion'>): Promise<NodePrograms> {
  const ask = async (program: string, ...args: string[]): Promise<string> =>
    (await run(program, args, { timeout: askTimeoutMs })).stdout
  const [version] = await Promise.all([
    ask(programs.containerd, '--version'),
    ask(programs.runc, '--version'),
    ask(programs.nft, '--version'),
    ...[programs.conntrack, programs.pasta].flatMap((program) => (program === undefined ? [] : [ask(program, '--version')])),
    ...cniPlugins.map((plugin) => access(join(programs.cniDir, plugin), constants.X_OK)),
  ])
  const containerdVersion = /\bv?(\d+\.\d+\.\d+)/.exec(version)?.[1]
  if (containerdVersion === undefined) throw new Error(`${programs.containerd} does not tell its version`)
  return { ...programs, containerdVersion }
}

const packages = ['containerd', 'runc', 'containernetworking-plugins', 'nftables', 'conntrack', 'passt', 'patchelf']

/** Downloads and unpacks into `<cacheDir>/root`; another process that does the same at the same time is no harm. */
const fetchPackages = (cacheDir: string): Promise<void> => unpackPackages(cacheDir, 'root', packages, { finish: useOwnLibraries })

interface UnpackOptions {
  /** Of the distribution: a name that keeps its versions, or the one that is always the newest. */
  readonly release?: string
  readonly finish?: (unpacked: string) => Promise<void>
}

const newestRelease = 'sid'

/** Unpacks packages of the distribution, and what they need, into a folder of the cache; nothing is installed. */
async function unpackPackages(
  cacheDir: string,
  folder: string,
  names: readonly string[],
  { finish, release = newestRelease }: UnpackOptions = {},
): Promise<void> {
  await mkdir(cacheDir, { recursive: true })
  const work = await mkdtemp(join(cacheDir, 'fetch-'))
  try {
    const apt = await privateApt(join(work, 'apt'), await sourceOf(release))
    await apt('-q', 'update')
    await apt('-q', '-y', '-d', '--no-install-recommends', 'install', ...names)
    const archives = join(work, 'apt', 'cache', 'archives')
    const fresh = join(work, folder)
    for (const name of (await readdir(archives)).filter((file) => file.endsWith('.deb')))
      await run('dpkg', ['-x', join(archives, name), fresh], { timeout: fetchTimeoutMs })
    // What is linked to the newer C library gets the path of that one: it is where the root will lie.
    const final = join(cacheDir, folder)
    await rm(final, { recursive: true, force: true })
    await rename(fresh, final)
    await finish?.(final)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The mirror and the keyring are those of the system's own apt. */
async function sourceOf(release: string): Promise<string> {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'], {
    timeout: askTimeoutMs,
  })
  const mirror = stdout.split('\n').find((uri) => /\/debian\/?$/.test(uri))
  if (mirror === undefined) throw new Error('this machine has no mirror of Debian among its package sources')
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  await stat(keyring)
  return `deb [signed-by=${keyring}] ${mirror.trim()} ${release} main`
}

const loader = 'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'

/** Programs that need a newer C library than the machine's are bound to the one that came with them. */
async function useOwnLibraries(unpacked: string): Promise<void> {
  const libraries = join(unpacked, 'usr/lib/x86_64-linux-gnu')
  const interpreter = join(unpacked, loader)
  if (!existsSync(interpreter)) throw new Error('only machines with an x86-64 processor get these packages')
  const patchelf = join(unpacked, 'usr/bin/patchelf')
  for (const program of ['usr/sbin/runc', 'usr/sbin/nft', 'usr/sbin/conntrack', 'usr/bin/passt', 'usr/bin/passt.avx2']) {
    const path = join(unpacked, program)
    const args = ['--set-interpreter', interpreter, '--force-rpath', '--set-rpath', libraries, path]
    await run(interpreter, ['--library-path', libraries, patchelf, ...args], { timeout: askTimeoutMs })
  }
}

