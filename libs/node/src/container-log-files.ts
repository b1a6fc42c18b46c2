// The files of a container's log, as a kubelet lays them out. Attempt 3 writes `3.log`; when that is full it becomes
// `3.log.00000001`, then `3.log.00000002`, and so on; the oldest are deleted. The number only ever rises, so the order of
// files does not hang on a clock.
import { join } from 'node:path'

/** A file that would grow beyond this is rotated, as the kubelet's `containerLogMaxSize`. */
export const logFileBytesMax = 10 * 1024 * 1024
/** Files of one attempt, the one being written among them, as the kubelet's `containerLogMaxFiles`. */
export const logFilesMax = 5

/** Where the newest lines of an attempt are. */
export const currentLogPath = (directory: string, restartCount: number): string =>
  join(directory, `${restartCount}.log`)

export const rotatedLogPath = (directory: string, restartCount: number, rotation: number): string =>
  `${currentLogPath(directory, restartCount)}.${String(rotation).padStart(8, '0')}`

/** What a file name of a container's log directory means; undefined when it is none of ours. */
export function parseLogFileName(
  name: string,
): { readonly restartCount: number; readonly rotation: number | undefined } | undefined {
  const match = /^(\d{1,9})\.log(?:\.(\d{8}))?$/.exec(name)
  if (!match) return undefined
  return { restartCount: Number(match[1]), rotation: match[2] === undefined ? undefined : Number(match[2]) }
}

/** The rotations of one attempt that are there, oldest first. */
export const rotationsOf = (names: readonly string[], restartCount: number): number[] =>
  names
    .map(parseLogFileName)
    .flatMap((file) => (file?.restartCount === restartCount && file.rotation !== undefined ? [file.rotation] : []))
    .sort((a, b) => a - b)
