// What this machine is, as a node tells it: size, system, address.
import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, release, totalmem } from 'node:os'
import { machineAddress } from '@shiplog/runtime/machine-address'

export interface Machine {
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernelVersion: string
  readonly osImage: string
  readonly architecture: string
  readonly internalIP: string
}

/** This machine as it is now. */
export const thisMachine = (): Machine => ({
  cpus: availableParallelism(),
  memoryBytes: totalmem(),
  kernelVersion: release(),
  osImage: osImage(),
  architecture: process.arch,
  internalIP: machineAddress(),
})

/** Size of the file system that a directory is on. */
export function diskBytes(directory: string): number {
  const { bsize, blocks } = statfsSync(directory)
  return bsize * blocks
}

/** `Debian GNU/Linux 12 (bookworm)`, as a kubelet tells it. */
function osImage(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform
  } catch {
    return process.platform
  }
}
