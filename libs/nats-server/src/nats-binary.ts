// Provides a nats-server that is new enough, without root: from PATH, the checkout's cache, Docker, Go, or the
// distribution's packages of a newer release, unpacked into the cache. What it finds it runs once before it believes it.
import { execFile } from 'node:child_process'
import {
  access,
  chmod,
  constants,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { userInfo } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** The oldest server that keeps the log's promises: older ones silently ignore atomic batches. */
export const oldestVersion = '2.12.0'
/** What is built or pulled when nothing is there; the release that the log was measured with. */
export const pinnedVersion = '2.15.1'

const root = resolve(import.meta.dirname, '..', '..', '..')
const defaultCacheDir = join(root, '.cache', 'nats-server')

const askTimeoutMs = 10_000
const fetchTimeoutMs = 300_000

export interface ProvidedNatsServer {
  readonly path: string
  readonly version: string
  /** Where it came from, for people: `PATH`, `cache`, `Docker`, `Go`, `packages`. */
  readonly how: string
}

export interface ProvideOptions {
  /** False: look only (PATH and cache), build and download nothing. Default true. */
  readonly fetch?: boolean
  /** Told what is being tried, one line each. */
  readonly progress?: (line: string) => void
  readonly cacheDir?: string
}

type Way = (context: Context) => Promise<string | undefined>

interface Context {
  readonly cacheDir: string
  readonly progress: (line: string) => void
}

/** Finds or fetches a nats-server; undefined when no way leads to one. */
export async function provideNatsServer(options: ProvideOptions = {}): Promise<ProvidedNatsServer | undefined> {
  const context: Context = {
    cacheDir: options.cacheDir ?? defaultCacheDir,
    progress: options.progress ?? (() => undefined),
  }
  for (const candidate of onPath('nats-server')) {
    const version = await versionOf(candidate)
    if (version && isNewEnough(version)) return { path: candidate, version, how: 'PATH' }
    if (version) context.progress(`${candidate} is ${version}, older than ${oldestVersion}`)
  }
  const cached = join(context.cacheDir, 'nats-server')
  const cachedVersion = (await rememberedVersion(cached)) ?? (await versionOf(cached))
  if (cachedVersion && isNewEnough(cachedVersion)) return { path: cached, version: cachedVersion, how: 'cache' }
  if (options.fetch === false) return undefined

  const ways: readonly (readonly [string, Way])[] = [
    ['Docker', fromDocker],
    ['Go', fromGo],
    ['packages', fromPackages],
  ]
  await mkdir(context.cacheDir, { recursive: true })
  for (const [how, way] of ways) {
    const found = await way(context).catch((error: unknown) => {
      context.progress(`${how}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`)
      return undefined
    })
    const version = found === undefined ? undefined : await versionOf(found)
    if (found === undefined || version === undefined) continue
    if (!isNewEnough(version)) {
      context.progress(`${how} has only ${version}, older than ${oldestVersion}`)
      continue
    }
    await chmod(found, 0o755)
    await rename(found, cached)
    await remember(cached, version)
    return { path: cached, version, how }
  }
  return undefined
}

/** `2.15.1` ≥ `2.12.0`; a pre-release counts as its release. */
export function isNewEnough(version: string, oldest: string = oldestVersion): boolean {
  const numbers = (text: string): number[] => (text.match(/\d+/g) ?? []).slice(0, 3).map(Number)
  const [have, want] = [numbers(version), numbers(oldest)]
  for (const [index, part] of want.entries()) {
    if ((have[index] ?? 0) !== part) return (have[index] ?? 0) > part
  }
  return true
}

const execute = promisify(execFile)

async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { stdout } = await execute(command, args, {
    timeout: options.timeoutMs ?? fetchTimeoutMs,
    maxBuffer: 16 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
  })
  return stdout
}

interface RunOptions {
  readonly timeoutMs?: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

const onPath = (name: string): string[] =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))

/** What a cached binary said of itself when it came, as long as it is the same file: asking costs part of a cold start. */
async function rememberedVersion(path: string): Promise<string | undefined> {
  try {
    const [version, stamp] = (await readFile(`${path}.version`, 'utf8')).trim().split(' ')
    return stamp === (await stampOf(path)) ? version : undefined
  } catch {
    return undefined
  }
}

const remember = async (path: string, version: string): Promise<void> =>
  writeFile(`${path}.version`, `${version} ${await stampOf(path)}\n`)

async function stampOf(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path)
  return `${size}-${Math.floor(mtimeMs)}`
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK)
    return /v(\d+\.\d+\.\d+\S*)/.exec(await run(path, ['--version'], { timeoutMs: askTimeoutMs }))?.[1]
  } catch {
    return undefined
  }
}

/** Whether a program is here and works: that it is not is nothing to report, there are other ways. */
const answers = (command: string, args: readonly string[]): Promise<boolean> =>
  run(command, args, { timeoutMs: askTimeoutMs }).then(
    () => true,
    () => false,
  )

/** The official image holds one static binary: copy it out of a container that never runs. */
async function fromDocker({ cacheDir, progress }: Context): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  const engine = await answers('docker', ['version', '--format', '{{.Server.Version}}'])
  if (!engine) return undefined
  progress(`Docker: taking nats-server ${pinnedVersion} out of the image nats:${pinnedVersion}`)
  const container = (await run('docker', ['create', `nats:${pinnedVersion}`])).trim()
  const target = join(cacheDir, `docker-${process.pid}`)
  try {
    await run('docker', ['cp', `${container}:/nats-server`, target])
  } finally {
    await run('docker', ['rm', container], { timeoutMs: askTimeoutMs }).catch(() => undefined)
  }
  return target
}

async function fromGo({ cacheDir, progress }: Context): Promise<string | undefined> {
  if (!(await answers('go', ['version']))) return undefined
  progress(`Go: building nats-server ${pinnedVersion}`)
  const place = await mkdtemp(join(cacheDir, 'go-'))
  await run('go', ['install', '-trimpath', `github.com/nats-io/nats-server/v2@v${pinnedVersion}`], {
    env: { GOBIN: place, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
  })
  const target = join(cacheDir, `go-${process.pid}`)
  await rename(join(place, 'nats-server'), target)
  await rm(place, { recursive: true, force: true })
  return target
}

/** The rolling release of each distribution that has nats-server. */
const newestSuite: Readonly<Record<string, string>> = { debian: 'sid', ubuntu: 'devel' }

/** The distribution's newest package, fetched with apt's own tools into directories of our own. */
async function fromPackages({ cacheDir, progress }: Context): Promise<string | undefined> {
  const release = await readFile('/etc/os-release', 'utf8')
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? ''
  const suite = newestSuite[field('ID')] ?? newestSuite[field('ID_LIKE').split(' ')[0] ?? '']
  if (suite === undefined) return undefined
  const source = findSource(await readSources(), field('VERSION_CODENAME'))
  if (source === undefined) throw new Error('no package source of this release in the configuration of apt')
  progress(`packages: fetching nats-server of ${suite}`)

  const state = await mkdtemp(join(cacheDir, 'apt-'))
  try {
    for (const directory of ['lists/partial', 'cache/archives/partial', 'parts']) {
      await mkdir(join(state, directory), { recursive: true })
    }
    const signed = source.signedBy === undefined ? '' : `[signed-by=${source.signedBy}] `
    await writeFile(join(state, 'sources.list'), `deb ${signed}${source.uri} ${suite} main universe\n`)
    await writeFile(join(state, 'status'), '')
    const options = [
      `Dir::State::lists=${state}/lists`,
      `Dir::State::status=${state}/status`,
      `Dir::Cache=${state}/cache`,
      `Dir::Etc::sourcelist=${state}/sources.list`,
      `Dir::Etc::sourceparts=${state}/parts`,
      'Debug::NoLocking=1',
      `APT::Sandbox::User=${userInfo().username}`,
      'Acquire::Languages=none',
      'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false',
    ].flatMap((option) => ['-o', option])
    await run('apt-get', [...options, '-q', 'update'])
    await run('apt-get', [...options, '-q', 'download', 'nats-server'], { cwd: state })
    const archive = (await readdir(state)).find((file) => file.endsWith('.deb'))
    if (archive === undefined) return undefined
    await run('dpkg', ['-x', join(state, archive), join(state, 'unpacked')])
    for (const place of ['usr/sbin', 'usr/bin']) {
      const binary = join(state, 'unpacked', place, 'nats-server')
      if ((await versionOf(binary)) === undefined) continue
      const target = join(cacheDir, `packaged-${process.pid}`)
      await copyFile(binary, target)
      return target
    }
    return undefined
  } finally {
    await rm(state, { recursive: true, force: true })
  }
}

/** A package source of the system. */
export interface PackageSource {
  readonly uri: string
  readonly suite: string
  readonly components: readonly string[]
  readonly signedBy?: string
}

async function readSources(): Promise<PackageSource[]> {
  const read = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '')
  const directory = '/etc/apt/sources.list.d'
  const parts = (await readdir(directory).catch(() => [] as string[])).sort()
  const sources = parseOneLine(await read('/etc/apt/sources.list'))
  for (const part of parts) {
    const text = await read(join(directory, part))
    if (part.endsWith('.list')) sources.push(...parseOneLine(text))
    if (part.endsWith('.sources')) sources.push(...parseDeb822(text))
  }
  return sources
}

/** The archive that the system itself is installed from. */
export const findSource = (sources: readonly PackageSource[], codename: string): PackageSource | undefined =>
  sources.find(({ suite, components }) => suite === codename && components.includes('main')) ??
  sources.find(({ suite, components }) => suite === 'stable' && components.includes('main'))

/** `deb [signed-by=…] uri suite component…`. */
export function parseOneLine(text: string): PackageSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$/.exec(line.replace(/#.*/, ''))
    if (!match) return []
    const signedBy = /signed-by=(\S+)/i.exec(match[1] ?? '')?.[1]
    return [
      {
        uri: match[2]!,
        suite: match[3]!,
        components: match[4]!.trim().split(/\s+/),
        ...(signedBy === undefined ? {} : { signedBy }),
      },
    ]
  })
}

/** Stanzas of `Types:`, `URIs:`, `Suites:`, `Components:`, `Signed-By:`. */
export function parseDeb822(text: string): PackageSource[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const lines = stanza.split('\n').filter((line) => !line.startsWith('#'))
    const field = (name: string): string[] => {
      const line = lines.find((each) => each.toLowerCase().startsWith(`${name}:`))
      return line === undefined
        ? []
        : line
            .slice(name.length + 1)
            .trim()
            .split(/\s+/)
    }
    if (!field('types').includes('deb') || field('enabled')[0] === 'no') return []
    const signedBy = field('signed-by')[0]
    return field('uris').flatMap((uri) =>
      field('suites').map((suite) => ({
        uri,
        suite,
        components: field('components'),
        ...(signedBy?.startsWith('/') ? { signedBy } : {}),
      })),
    )
  })
}

/** For what cannot do without one, as a test: throws an error that says how to get it. */
export async function requireNatsServer(options: ProvideOptions = {}): Promise<ProvidedNatsServer> {
  const server = await provideNatsServer(options)
  if (server === undefined) throw new Error('no nats-server 2.12 or later: put one on PATH, or allow it to be fetched')
  return server
}
