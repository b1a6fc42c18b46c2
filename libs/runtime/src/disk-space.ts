// The disk that a log lies on, for people: which one, how much is left of it, and what to do.
import { statfsSync } from 'node:fs'

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`

interface Space {
  readonly free: number
  readonly total: number
}

export function spaceOf(directory: string): Space {
  const { bavail, blocks, bsize } = statfsSync(directory)
  return { free: bavail * bsize, total: blocks * bsize }
}

export const makeRoom = 'make room there: writes then come back by themselves'

/** One sentence for people: which disk, how much is left, and what to do. */
export function describeDisk(directory: string, cure: string): string {
  try {
    const { free, total } = spaceOf(directory)
    return `the disk of ${directory} has ${megabytes(free)} of ${megabytes(total)} free; ${cure}`
  } catch (error) {
    return `the disk of ${directory} cannot be looked at (${(error as Error).message})`
  }
}
