// Files and directories that only their owner may read: keys, passwords, and the log itself, which holds Secrets. Whatever
// the umask is, and whatever was there before, a file ends with mode 0600 and the directory that holds it with 0700. All
// that writes such files does it through here.
import {
  chmodSync,
  closeSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const fileMode = 0o600
const directoryMode = 0o700
const closedUmask = 0o077
const modeBits = 0o777
const stickyBit = 0o1000

/** Directories of the machine: whoever closes one of them locks everybody else out. */
const sharedDirectories: ReadonlySet<string> = new Set(
  '/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /run /sbin /srv /sys /tmp /usr /var /Users /private'.split(
    ' ',
  ),
)

/** Makes a directory that only its owner may enter, or closes the one that is there. */
export function secretDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: directoryMode })
  const stat = lstatSync(resolve(path))
  // What a link points to is somebody's choice of a place: it is closed, too.
  if (stat.isDirectory() && (stat.mode & modeBits) === directoryMode) return
  refuseShared(path)
  chmodSync(path, directoryMode)
}

function refuseShared(path: string): void {
  const stat = lstatSync(resolve(path))
  const { uid } = process.getuid ? { uid: process.getuid() } : { uid: stat.uid }
  const shared = sharedDirectories.has(resolve(path)) || (stat.mode & stickyBit) !== 0
  if (!shared && (stat.isSymbolicLink() || stat.uid === uid || uid === 0)) return
  throw new Error(`${path} is a directory that others use: choose one of your own, secrets are to lie there`)
}

/** Writes a file beside its place and renames it: it is whole or not there, and nobody else can read it at any moment. */
export function writeSecretFile(path: string, content: string | Uint8Array): void {
  const fresh = `${path}.new`
  rmSync(fresh, { force: true })
  writeFileSync(fresh, content, { mode: fileMode, flag: 'wx' })
  closeFile(fresh)
  renameSync(fresh, path)
}

/** The same without holding up the event loop. */
export async function writeSecretFileSoon(path: string, content: string | Uint8Array): Promise<void> {
  const fresh = `${path}.new`
  await rm(fresh, { force: true })
  const file = await open(fresh, 'wx', fileMode)
  try {
    await file.chmod(fileMode)
    await file.writeFile(content)
  } finally {
    await file.close()
  }
  await rename(fresh, path)
}

/** Opens a file to write to (`a` goes on at its end, `w` begins anew), closed to others before anything is in it. */
export function openSecretFile(path: string, how: 'a' | 'w'): number {
  const descriptor = openSync(path, how, fileMode)
  try {
    fchmodSync(descriptor, fileMode)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  return descriptor
}

/** Closes a file that is there; one that is not is no fault. */
export function closeFile(path: string): void {
  try {
    chmodSync(path, fileMode)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/**
 * Closes a directory and all that is in it, as an earlier version or another umask may have left it. Links are not
 * followed; `except` names entries of the directory itself that have rules of their own.
 */
export function closeTree(path: string, except: readonly string[] = []): void {
  secretDirectory(path)
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (except.includes(entry.name)) continue
    const inside = join(path, entry.name)
    try {
      if (entry.isDirectory()) closeTree(inside)
      else if (entry.isFile() && (lstatSync(inside).mode & modeBits) !== fileMode) chmodSync(inside, fileMode)
    } catch (error) {
      // Gone since: a temporary file of somebody who is at work.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

/** What a child writes by its own defaults is closed, too: children take the umask of the moment they are started in. */
export function withClosedUmask<T>(start: () => T): T {
  const before = process.umask(closedUmask)
  try {
    return start()
  } finally {
    process.umask(before)
  }
}

/** What is wrong with a file of secrets is said without what is in it: the parser's own message quotes it. */
export function parseSecretJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`${file} is no JSON (${Buffer.byteLength(text)} bytes)`)
  }
}
