// Starts the process of a container, or one more beside it, marked as the container's and leader of its own group.
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import type { ContainerEnd } from './container-records.ts'
import { markVariable } from './process-table.ts'
import type { StartOrder } from './supervisor-protocol.ts'

/** Where and as whom a process runs. */
export type LaunchPlace = Pick<StartOrder, 'directory' | 'env' | 'user' | 'group'>

/** The process, or why there is none. */
export async function launch(
  command: readonly string[],
  place: LaunchPlace,
  containerID: string,
  stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
): Promise<ChildProcess | NodeJS.ErrnoException> {
  let child: ChildProcess
  try {
    child = spawn(command[0]!, command.slice(1), {
      cwd: place.directory,
      env: { ...place.env, [markVariable]: containerID },
      detached: true,
      stdio,
      ...(place.user === undefined ? {} : { uid: place.user }),
      ...(place.group === undefined ? {} : { gid: place.group }),
    })
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
  if (child.pid !== undefined) return child
  return await new Promise((resolve) => child.once('error', resolve))
}

/** As containerd reports it: the container was created and could not be started. */
export const startFault = (program: string, error: NodeJS.ErrnoException, finishedAtMs: number): ContainerEnd => ({
  exitCode: 128,
  reason: 'StartError',
  message: `failed to start container process: ${execFault(program, error)}`,
  finishedAtMs,
})

/** runc's sentence about a program that cannot be run. */
export function execFault(program: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') {
    return program.includes('/')
      ? `exec: "${program}": stat ${program}: no such file or directory`
      : `exec: "${program}": executable file not found in $PATH`
  }
  if (error.code === 'EACCES') return `exec: "${program}": permission denied`
  if (error.code === 'EPERM') return `exec: "${program}": operation not permitted (does it run as another user?)`
  return `exec: "${program}": ${error.code ?? ''} ${error.message}`
}
