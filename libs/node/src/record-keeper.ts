// The records of a node's containers, in memory and on disk.
import type { Logger } from '@shiplog/runtime/logger'
import {
  attemptsKept,
  type ContainerEnd,
  type ContainerRecord,
  readRecords,
  removeRecord,
  writeRecord,
} from './container-records.ts'

export interface RecordKeeper {
  all(): ContainerRecord[]
  get(containerID: string): ContainerRecord | undefined
  /** Writes a record before its process exists. Throws when that is not possible: then nothing may be started. */
  begin(record: ContainerRecord): void
  /** Memory first: a full disk must not make a start happen twice in this life. */
  keep(record: ContainerRecord): void
  end(record: ContainerRecord, ended: ContainerEnd): ContainerRecord
  /** Removes records of attempts that nobody asks about any more. */
  forgetOldAttempts(
    container: Pick<ContainerRecord, 'podUid' | 'name' | 'attempt'>,
    isRunning: (containerID: string) => boolean,
  ): void
  forgetPod(podUid: string): void
}

export function createRecordKeeper({
  directory,
  log,
}: {
  readonly directory: string
  readonly log: Logger
}): RecordKeeper {
  const records = new Map(readRecords(directory).map((record) => [record.containerID, record]))
  const keep = (record: ContainerRecord): void => {
    records.set(record.containerID, record)
    try {
      writeRecord(directory, record)
    } catch (err) {
      log.error({ err, container: record.containerID }, 'failed to write container record')
    }
  }
  return {
    all: () => [...records.values()],
    get: (containerID) => records.get(containerID),
    begin(record) {
      writeRecord(directory, record)
      records.set(record.containerID, record)
    },
    keep,
    end(record, ended) {
      const whole = { ...record, ended }
      keep(whole)
      return whole
    },
    forgetOldAttempts({ podUid, name, attempt }, isRunning) {
      for (const record of records.values()) {
        if (record.podUid !== podUid || record.name !== name) continue
        if (record.attempt > attempt - attemptsKept || isRunning(record.containerID)) continue
        records.delete(record.containerID)
        removeRecord(directory, record)
      }
    },
    forgetPod(podUid) {
      for (const record of [...records.values()]) if (record.podUid === podUid) records.delete(record.containerID)
    },
  }
}
