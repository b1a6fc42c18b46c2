// Where a node of processes keeps what on disk. One place knows the layout; runtime and supervisor both ask it.
//
//   pods/<namespace>_<name>_<uid>/<container>/<n>.log   output, as a kubelet lays it out; kept until the pod is gone
//   state/<uid>/<container>.<n>.json                    one start of a container: process, start time, end
//   work/<uid>/volumes/<volume>                         contents of volumes; gone when the pod is over
//   work/<uid>/roots/<container>                        what a container sees as its root; made anew at every start
//   supervisor.sock, supervisor.log, supervisor/lock    of the process that keeps the others
import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { PodIdentity } from './container-runtime.ts'

/** Names of files may have 255 bytes; a pod's name is cut so that namespace and uid always fit. */
const podNameBytesMax = 150

export const socketName = 'supervisor.sock'

export const supervisorDirectory = (node: string): string => join(node, 'supervisor')
export const supervisorLogFile = (node: string): string => join(node, 'supervisor.log')

export const podLogDirectory = (node: string, { namespace, name, uid }: PodIdentity): string =>
  join(node, 'pods', `${namespace}_${name.slice(0, podNameBytesMax)}_${uid}`)
export const containerLogDirectory = (node: string, pod: PodIdentity, container: string): string =>
  join(podLogDirectory(node, pod), container)

export const stateDirectory = (node: string, podUid: string): string => join(node, 'state', podUid)
export const workDirectory = (node: string, podUid: string): string => join(node, 'work', podUid)
export const volumeDirectory = (node: string, podUid: string, volume: string): string =>
  join(workDirectory(node, podUid), 'volumes', volume)
export const rootDirectory = (node: string, podUid: string, container: string): string =>
  join(workDirectory(node, podUid), 'roots', container)

/** The same for the same start of the same container, in every life of agent and supervisor. */
export const containerIdOf = (podUid: string, container: string, attempt: number): string =>
  `process://${createHash('sha256').update(`${podUid}/${container}/${attempt}`).digest('hex')}`

const namesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : [])

/** Directories of output that belong to a pod. */
export const logDirectoriesOf = (node: string, podUid: string): string[] =>
  namesIn(join(node, 'pods'))
    .filter((name) => name.endsWith(`_${podUid}`))
    .map((name) => join(node, 'pods', name))

/** Every pod of which anything is on disk. */
export function podsOnDisk(node: string): Set<string> {
  const logs = namesIn(join(node, 'pods')).map((name) => name.slice(name.lastIndexOf('_') + 1))
  return new Set([...namesIn(join(node, 'state')), ...namesIn(join(node, 'work')), ...logs])
}

/** A uid comes from the API and becomes a path: what could lead elsewhere is refused. */
export const isSafeName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name)
