// Writes the contents of a pod's volumes, as a kubelet does: all files of a volume change at once, because what a container
// sees are links through `..data`, which is swapped by one rename. Links are relative, so that a process that runs as
// another user needs to pass no directory above the pod's own.
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs'
import { realpathSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import { type PodVolume, RuntimeFailure, type VolumeFile, type VolumeMount } from './container-runtime.ts'
import { isSafeName, rootDirectory, volumeDirectory } from './pod-directories.ts'

const dataLink = '..data'

/** Brings a volume up to date; true when something changed. `stamp` must differ from that of any earlier content. */
export function writeVolume(node: string, podUid: string, volume: PodVolume, stamp: string): boolean {
  if (!isSafeName(volume.name)) throw new RuntimeFailure('FailedMount', `no such volume can exist: ${volume.name}`)
  const directory = volumeDirectory(node, podUid, volume.name)
  mkdirSync(dirname(directory), { recursive: true, mode: 0o711 })
  switch (volume.kind) {
    case 'empty': {
      if (existsSync(directory)) return false
      mkdirSync(directory)
      chmodSync(directory, 0o777)
      return true
    }
    case 'host': {
      checkHostPath(volume.path, volume.type)
      rmSync(directory, { force: true })
      symlinkSync(volume.path, directory)
      return true
    }
    case 'files':
      return writeFiles(directory, volume, stamp)
    case 'image':
      throw new RuntimeFailure('FailedMount', 'there are no images on a node of processes')
  }
}

/** For chown: leaves the user, or the group, as it is. */
const unchanged = -1

/** As upstream checks it, in its words. */
export function checkHostPath(path: string, type: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (type === 'DirectoryOrCreate' && found === undefined) mkdirSync(path, { recursive: true, mode: 0o755 })
  else if (type === 'FileOrCreate' && found === undefined) writeFileSync(path, '', { mode: 0o644 })
  else if (type.startsWith('Directory') && !found?.isDirectory()) throw fails(path, 'a directory')
  else if (type.startsWith('File') && !found?.isFile()) throw fails(path, 'a file')
  else if (type === 'Socket' && !found?.isSocket()) throw fails(path, 'a socket file')
  else if (type === 'CharDevice' && !found?.isCharacterDevice()) throw fails(path, 'a character device')
  else if (type === 'BlockDevice' && !found?.isBlockDevice()) throw fails(path, 'a block device')
}

const fails = (path: string, what: string): RuntimeFailure =>
  new RuntimeFailure('FailedMount', `hostPath type check failed: ${path} is not ${what}`)

/** All files of a volume at once; false when they are there already. */
export function writeFiles(directory: string, volume: PodVolume & { kind: 'files' }, stamp: string): boolean {
  const { files, secret } = volume
  // Only root can give files away; for everybody else the container's own refusal says it.
  const isRoot = process.getuid?.() === 0
  for (const file of files) assertInside(file.path)
  if (holds(directory, files)) return false
  mkdirSync(directory, { recursive: true, mode: secret ? 0o700 : 0o755 })
  const fresh = `..${stamp}`
  const own = (path: string, owner = volume.owner): void => {
    const group = volume.group ?? owner
    if (isRoot && (owner ?? group) !== undefined) chownSync(path, owner ?? unchanged, group ?? unchanged)
  }
  own(directory)
  mkdirSync(join(directory, fresh), { mode: secret ? 0o700 : 0o755 })
  own(join(directory, fresh))
  for (const { path, content, mode, owner } of files) {
    const target = join(directory, fresh, path)
    mkdirSync(dirname(target), { recursive: true, mode: secret ? 0o700 : 0o755 })
    if (dirname(path) !== '.') own(dirname(target))
    writeFileSync(target, content, { mode: 0o600 })
    own(target, owner)
    chmodSync(target, mode)
  }
  const before = existsSync(join(directory, dataLink)) ? readlinkSync(join(directory, dataLink)) : undefined
  rmSync(join(directory, `${dataLink}_new`), { force: true })
  symlinkSync(fresh, join(directory, `${dataLink}_new`))
  renameSync(join(directory, `${dataLink}_new`), join(directory, dataLink))
  const wanted = new Set(files.map(({ path }) => path.split('/')[0]!))
  for (const name of wanted) {
    if (lstatSync(join(directory, name), { throwIfNoEntry: false }) === undefined) {
      symlinkSync(`${dataLink}/${name}`, join(directory, name))
    }
  }
  for (const name of readdirSync(directory)) {
    if (name === dataLink || name === fresh || wanted.has(name)) continue
    // What the volume held before: its directory (also one that a crash left), and links to files that are no more.
    const isOurs = name.startsWith('..') || isLink(join(directory, name))
    if (isOurs) rmSync(join(directory, name), { recursive: true, force: true })
  }
  if (before !== undefined) rmSync(join(directory, before), { recursive: true, force: true })
  return true
}

const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink()

function assertInside(path: string): void {
  const clean = normalize(path)
  if (path === '' || clean.startsWith('..') || clean.startsWith(sep) || path.split('/').includes('..')) {
    throw new RuntimeFailure('FailedMount', `invalid path: ${JSON.stringify(path)}`)
  }
}

/** Whether the volume has exactly these files, with these bytes and modes. */
function holds(directory: string, files: readonly VolumeFile[]): boolean {
  const data = join(directory, dataLink)
  if (!existsSync(data)) return false
  const found = new Set(
    readdirSync(data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(realpathSync(data), join(realpathSync(entry.parentPath), entry.name))),
  )
  if (found.size !== files.length) return false
  return files.every(({ path, content, mode }) => {
    const file = join(data, path)
    if (!found.has(normalize(path))) return false
    return (statSync(file).mode & 0o777) === mode && readFileSync(file).equals(content)
  })
}

export interface RootOptions {
  readonly node: string
  readonly podUid: string
  readonly container: string
  readonly mounts: readonly VolumeMount[]
  /** Names of volumes whose content is swapped as a whole: a part of them is copied, as upstream's never changes. */
  readonly swapped: ReadonlySet<string>
  /** As the container sees it; made when it is not there. */
  readonly workingDir: string
  readonly terminationMessagePath: string
  readonly owner?: number
}

export interface ContainerRoot {
  readonly workingDirectory: string
  readonly terminationMessageFile: string
}

/** Makes a container's root anew: what an earlier start left there is gone, as with a new container. */
export function makeRoot(options: RootOptions): ContainerRoot {
  const { node, podUid, container, owner } = options
  const root = rootDirectory(node, podUid, container)
  rmSync(root, { recursive: true, force: true })
  mkdirSync(dirname(root), { recursive: true, mode: 0o711 })
  mkdirSync(root, { mode: 0o755 })
  const inside = (path: string): string => join(root, normalize(`/${path}`))
  // The shallow ones first: a mount may lie within another.
  const mounts = [...options.mounts].sort((a, b) => a.path.split('/').length - b.path.split('/').length)
  for (const mount of mounts) {
    const target = inside(mount.path).replace(/\/+$/, '')
    if (target === root) {
      throw new RuntimeFailure('CreateContainerError', `a volume cannot be the root of a container: "${mount.path}"`)
    }
    placeMount(options, mount, target)
  }
  const workingDirectory = inside(options.workingDir)
  const terminationMessageFile = inside(options.terminationMessagePath)
  mkdirSync(workingDirectory, { recursive: true })
  mkdirSync(dirname(terminationMessageFile), { recursive: true })
  if (!existsSync(terminationMessageFile)) writeFileSync(terminationMessageFile, '', { mode: 0o666 })
  if (owner !== undefined) {
    for (const path of new Set([root, workingDirectory, dirname(terminationMessageFile), terminationMessageFile])) {
      if (realpathSync(path).startsWith(realpathSync(root))) chownSync(path, owner, owner)
    }
  }
  return { workingDirectory, terminationMessageFile }
}

function placeMount({ node, podUid, swapped }: RootOptions, mount: VolumeMount, target: string): void {
  let source = volumeDirectory(node, podUid, mount.volume)
  if (mount.subPath !== '') {
    assertInside(mount.subPath)
    source = join(source, mount.subPath)
    if (!existsSync(source)) {
      if (swapped.has(mount.volume)) mkdirSync(source, { recursive: true, mode: 0o750 })
      else mkdirSync(source, { recursive: true, mode: 0o777 })
    }
    const volume = realpathSync(volumeDirectory(node, podUid, mount.volume))
    const real = realpathSync(source)
    if (real !== volume && !real.startsWith(`${volume}/`)) {
      throw new RuntimeFailure(
        'CreateContainerConfigError',
        `failed to prepare subPath for volumeMount "${mount.volume}" of container`,
      )
    }
  }
  mkdirSync(dirname(target), { recursive: true })
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) rmSync(target, { recursive: true, force: true })
  if (mount.subPath !== '' && swapped.has(mount.volume))
    cpSync(realpathSync(source), target, { recursive: true, dereference: true })
  else symlinkSync(relative(realpathSync(dirname(target)), source), target)
}
