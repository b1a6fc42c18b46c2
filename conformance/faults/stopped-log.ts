// The log of a stopped cluster, read for what it holds: the truth that answers are measured against.
import { openLog } from '@shiplog/all-in-one/open-log'
import type { LogRecord } from '@shiplog/events/event-log'
import { provideNatsServer } from '@shiplog/nats-server/nats-binary'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'

export async function readStoppedLog(dataDir: string): Promise<LogRecord[]> {
  const opened = await openLog({
    choice: 'auto',
    dataDir,
    clock: systemClock,
    logger: silentLogger,
    progress: () => undefined,
    findNatsServer: () => provideNatsServer(),
  })
  try {
    const records: LogRecord[] = []
    for await (const page of opened.log.events.read()) records.push(...page)
    return records
  } finally {
    await opened.log.close()
    await opened.stop()
  }
}
