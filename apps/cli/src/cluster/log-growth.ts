// How large the log is and how it grows: what `shiplog status` says, and `shiplog compact` compares.
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { openHistory } from '../history/history-source.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000

/** Of the log's own files; 0 where it lies elsewhere. */
export const diskBytesOf = (dataDir: string): number =>
  ['log.db', 'log.db-wal', 'nats/store'].reduce((sum, name) => sum + bytesOf(join(dataDir, name)), 0)

function bytesOf(path: string): number {
  try {
    const stat = lstatSync(path)
    // Blocks: what is taken of the disk, also of files with holes.
    if (!stat.isDirectory()) return stat.blocks * 512
    return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0)
  } catch {
    return 0
  }
}

export function humanBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  for (; value >= 1_000 && unit < units.length - 1; unit++) value /= 1_000
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** One line: records and bytes, and what the last day (or what there is of it) adds a day. */
export async function growthLine(dataDir: string): Promise<string> {
  const source = await openHistory({ dataDir })
  try {
    const nowMs = systemClock.nowMs()
    const { newest } = await source.ends()
    const [dayAgo, hourAgo] = [await source.sequenceAt(nowMs - dayMs), await source.sequenceAt(nowMs - hourMs)]
    const [lastDay, lastHour] = [dayAgo, hourAgo].map((sequence) => newest - Math.max(0, sequence)) as [number, number]
    const bytes = diskBytesOf(dataDir)
    const size = bytes === 0 ? '' : `, ${humanBytes(bytes)} on disk`
    const perDay =
      bytes === 0 || newest === 0 ? '' : `, at this rate about ${humanBytes((bytes / newest) * lastDay)} a day`
    return `log: up to sequence ${newest}${size}; ${lastDay} records in the last 24 hours, ${lastHour} in the last one${perDay} (shiplog compact --help)`
  } finally {
    await source.close()
  }
}
