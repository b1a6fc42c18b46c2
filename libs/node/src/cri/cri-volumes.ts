// Volumes of pods on a node of containers: directories under the node's own, file systems in memory and parts of volumes
// mounted in the node's mount namespace. Whoever removes a pod removes its mounts first.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inNamespace } from '../containerd/holder.ts'
import { type PodVolume, RuntimeFailure } from '../container-runtime.ts'
import { isSafeName } from '../pod-directories.ts'
import { checkHostPath, writeFiles } from '../volume-files.ts'

export interface NodeMounts {
  /** Of the node: absolute, and the same in its mount namespace. */
  readonly directory: string
  /** The process whose mount namespace is the node's. */
  readonly holderPid: number
}

export const podsDirectory = (directory: string): string => join(directory, 'kubelet', 'pods')
export const podDirectory = (directory: string, podUid: string): string => join(podsDirectory(directory), podUid)
export const logsDirectory = (directory: string): string => join(directory, 'pods')
const volumeDirectory = (directory: string, podUid: string, name: string): string =>
  join(podDirectory(directory, podUid), 'volumes', name)

/** A path of the node, as it is reached from here: also what is mounted there alone. */
export const fromHere = ({ holderPid }: NodeMounts, path: string): string => `/proc/${holderPid}/root${path}`

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Where a volume's content is on the node; undefined for volumes that the runtime itself mounts. */
export function volumeSource(directory: string, podUid: string, volume: PodVolume): string | undefined {
  if (volume.kind === 'image') return undefined
  return volume.kind === 'host' ? volume.path : volumeDirectory(directory, podUid, volume.name)
}

/** Writes and mounts what a pod's volumes hold; what is there already is left alone, or brought up to date. */
export async function prepareVolumes(
  node: NodeMounts,
  podUid: string,
  volumes: readonly PodVolume[],
  stamp: () => string,
): Promise<void> {
  for (const volume of volumes) {
    try {
      await prepareVolume(node, podUid, volume, stamp())
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new RuntimeFailure('FailedMount', `MountVolume.SetUp failed for volume "${volume.name}" : ${reason}`)
    }
  }
}

async function prepareVolume(node: NodeMounts, podUid: string, volume: PodVolume, stamp: string): Promise<void> {
  if (!isSafeName(volume.name)) throw new Error(`no such volume can exist: ${volume.name}`)
  const path = volumeDirectory(node.directory, podUid, volume.name)
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  switch (volume.kind) {
    case 'image':
      return
    case 'host':
      checkHostPath(fromHere(node, volume.path), volume.type)
      return
    case 'files': {
      const { group } = volume
      // Whoever is in the group of the pod may read all of it.
      const files = volume.files.map((file) => (group === undefined ? file : { ...file, mode: file.mode | 0o440 }))
      mkdirSync(path, { recursive: true, mode: 0o755 })
      writeFiles(path, { ...volume, files }, stamp)
      return
    }
    case 'empty':
      await prepareEmpty(node, path, volume)
  }
}

async function prepareEmpty(node: NodeMounts, path: string, volume: PodVolume & { kind: 'empty' }): Promise<void> {
  const { group, inMemory = false, sizeLimitBytes } = volume
  if (!existsSync(path)) mkdirSync(path)
  else if (!inMemory) return
  if (inMemory) {
    if (isMounted(node, path)) return
    const size = sizeLimitBytes === undefined ? '' : `,size=${sizeLimitBytes}`
    await inNamespace(node.holderPid, 'mount', `mount -t tmpfs -o mode=0777${size} tmpfs ${quoted(path)}`)
  }
  const place = fromHere(node, path)
  if (group !== undefined) chownSync(place, 0, group)
  chmodSync(place, group === undefined ? 0o777 : 0o2777)
}

const mountsOf = ({ holderPid }: NodeMounts): string[] =>
  readFileSync(`/proc/${holderPid}/mounts`, 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1]?.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))) ?? [])

const isMounted = (node: NodeMounts, path: string): boolean => mountsOf(node).includes(path)

/**
 * Mounts a part of a volume where nothing in the volume can lead elsewhere any more: the part is opened, what was opened is
 * looked at, and that is what gets mounted, whatever its path may have become meanwhile (CVE-2021-25741).
 */
export async function mountPart(
  node: NodeMounts,
  podUid: string,
  part: { readonly volume: string; readonly source: string; readonly subPath: string; readonly container: string; readonly index: number },
): Promise<string> {
  const target = join(podDirectory(node.directory, podUid), 'parts', part.container, String(part.index))
  const script = [
    `volume=$(readlink -f ${quoted(part.source)})`,
    `part=${quoted(join(part.source, part.subPath))}`,
    // A part that is not there becomes a folder, in a parent that is known to lie within the volume.
    'if [ ! -e "$part" ]; then',
    '  there="$part"; while [ ! -e "$there" ]; do there=$(dirname "$there"); done',
    '  case "$(readlink -f "$there")/" in "$volume"/*) ;; *) echo outside >&2; exit 40;; esac',
    '  mkdir -p -m 0750 "$part"; chmod --reference="$volume" "$part"; chown --reference="$volume" "$part"',
    'fi',
    'exec 3< "$part"',
    'opened=$(readlink /proc/$$/fd/3)',
    'case "$opened/" in "$volume"/*) ;; *) echo outside >&2; exit 40;; esac',
    `target=${quoted(target)}`,
    'umount -l "$target" 2>/dev/null || true',
    'rm -rf "$target"; mkdir -p "$(dirname "$target")"',
    'if [ -d /proc/$$/fd/3/ ]; then mkdir -p "$target"; else : > "$target"; fi',
    'mount --no-canonicalize --bind /proc/$$/fd/3 "$target"',
  ].join('\n')
  try {
    await inNamespace(node.holderPid, 'mount', script)
  } catch {
    throw new RuntimeFailure(
      'CreateContainerConfigError',
      `failed to prepare subPath for volumeMount "${part.volume}" of container "${part.container}"`,
    )
  }
  return target
}

/** Unmounts and deletes a pod's volumes. */
export async function removeVolumes(node: NodeMounts, podUid: string): Promise<void> {
  const home = podDirectory(node.directory, podUid)
  if (!existsSync(home)) return
  const mounts = (): string[] => mountsOf(node).filter((path) => path.startsWith(`${home}/`))
  // Some may be gone by then: a container's end takes its own along.
  const script = mounts().reverse().map((path) => `umount -l ${quoted(path)} 2>/dev/null || true`)
  if (script.length > 0) await inNamespace(node.holderPid, 'mount', script.join('\n'))
  const left = mounts()
  if (left.length > 0) throw new Error(`still mounted: ${left.join(', ')}`)
  rmSync(home, { recursive: true, force: true })
}
