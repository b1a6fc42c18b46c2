// What the tables hold, as text that can be compared.
import type { createPool } from '@shiplog/read-model/database'
import type { ClusterLog } from '@shiplog/events/event-log'
import { streamNames } from '@shiplog/feed/stream-of'

type Pool = ReturnType<typeof createPool>

/** Everything that is derived from the log, one line a row. */
export async function dump(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(`
    select 'version ' || row_to_json(v)::text as line from shiplog.versions v
    union all select 'object ' || row_to_json(o)::text from shiplog.objects o
    union all select 'stream ' || stream || ' ' || incarnation || ' ' || position from shiplog.streams
    order by 1`)
  return rows.map(({ line }) => line)
}

/** Waits until every stream's position is the end of its log. */
export async function caughtUp(pool: Pool, log: ClusterLog, deadlineMs = 20_000): Promise<void> {
  const ends = await Promise.all(streamNames.map((name) => log[name].lastSequence()))
  const end = performance.now() + deadlineMs
  for (;;) {
    const { rows } = await pool.query<{ stream: number; position: string }>(
      'select stream, position from shiplog.streams',
    )
    const positions = new Map(rows.map(({ stream, position }) => [stream, Number(position)]))
    if (ends.every((sequence, index) => (positions.get(index + 1) ?? 0) >= sequence)) return
    if (performance.now() > end) throw new Error(`at ${JSON.stringify([...positions])}, not at ${JSON.stringify(ends)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
