// The log of a stopped cluster, opened by a command: the directory is held meanwhile, so that no cluster starts on it, and
// whatever ends the command, the log is closed, what was started for it ends, and the directory is given back.
import { type OpenedLog, openLog, recordedLog } from '@shiplog/all-in-one/open-log'
import { markOf } from '@shiplog/events/integrity/guarded-log'
import type { Mark } from '@shiplog/events/integrity/high-water-mark'
import { systemClock } from '@shiplog/runtime/clock'
import { lockDirectory } from '@shiplog/runtime/directory-lock'
import { silentLogger } from '@shiplog/runtime/logger'
import { onEnd } from '../ending.ts'
import { findNatsServer } from './find-nats-server.ts'

export interface StoppedLog extends OpenedLog {
  readonly mark: Mark | undefined
}

/** Throws when there is no log, or a cluster runs on it. */
export async function withStoppedLog<T>(dataDir: string, use: (opened: StoppedLog) => Promise<T>): Promise<T> {
  if (recordedLog(dataDir) === undefined) throw new Error(`there is no log in ${dataDir}`)
  const lock = lockDirectory(dataDir)
  const release = onEnd(() => lock.release())
  try {
    const mark = await markOf(dataDir)
    const opened = await openLog({
      choice: 'auto',
      dataDir,
      clock: systemClock,
      logger: silentLogger,
      progress: (line) => void process.stderr.write(`${line}\n`),
      findNatsServer: findNatsServer(() => undefined),
      ...(mark ? { expectIncarnation: mark.incarnation } : {}),
    })
    const close = onEnd(async () => {
      await opened.log.close()
      await opened.stop()
    })
    try {
      return await use({ ...opened, mark })
    } finally {
      await close()
    }
  } finally {
    await release()
  }
}
