// What the supervisor writes down about every start of a container, so that no later life of anybody has to guess: that it
// was about to be started, which process it became, how it ended. A record is one small file, replaced as a whole.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { containerIdOf, isSafeName, stateDirectory } from './pod-directories.ts'

export interface ContainerEnd {
  readonly exitCode: number
  readonly reason: string
  readonly message?: string
  readonly finishedAtMs: number
}

export interface ContainerRecord {
  readonly podUid: string
  readonly name: string
  readonly attempt: number
  readonly containerID: string
  readonly startedAtMs: number
  /** Absent when the process was about to be started, or could not be. */
  readonly pid?: number
  /** Start time of the process, as the kernel tells it. */
  readonly processStart?: string
  readonly ended?: ContainerEnd
}

/** Starts of one container that are remembered: the present one and the one before, whose output is `--previous`. */
export const attemptsKept = 2

const fileOf = (node: string, record: Pick<ContainerRecord, 'podUid' | 'name' | 'attempt'>): string =>
  join(stateDirectory(node, record.podUid), `${record.name}.${record.attempt}.json`)

export function writeRecord(node: string, record: ContainerRecord): void {
  const file = fileOf(node, record)
  mkdirSync(stateDirectory(node, record.podUid), { recursive: true, mode: 0o700 })
  writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

export const removeRecord = (node: string, record: ContainerRecord): void =>
  rmSync(fileOf(node, record), { force: true })

/** All records; what a crash of the machine left half written is passed over. */
export function readRecords(node: string): ContainerRecord[] {
  const states = join(node, 'state')
  if (!existsSync(states)) return []
  return readdirSync(states)
    .filter(isSafeName)
    .flatMap((podUid) =>
      readdirSync(join(states, podUid))
        .filter((file) => file.endsWith('.json'))
        .flatMap((file) => parse(join(states, podUid, file), podUid)),
    )
}

function parse(file: string, podUid: string): ContainerRecord[] {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as ContainerRecord
    const right = record.containerID === containerIdOf(podUid, record.name, record.attempt)
    return right && record.podUid === podUid ? [record] : []
  } catch {
    return []
  }
}
