// Watches pods until enough of them have come or run. A server may end a watch at any moment (upstream's ends those that read
// too slowly, and on a busy machine that is any); as every client does, this one then goes on from the last version that it saw.
import { setTimeout as sleep } from 'node:timers/promises'
import { openConnection, requestHead } from './api-connection.ts'
import type { LoadResult, RunningJob } from './load-jobs.ts'
import { monotonicMicros } from './payloads.ts'

const nowMs = (): number => monotonicMicros() / 1_000
const againMs = 100

export async function running(job: RunningJob, begin: () => Promise<void>): Promise<LoadResult> {
  const tally = { count: 0, errors: 0, bytes: 0, latenciesMs: [] as number[] }
  const done = Promise.withResolvers<void>()
  const stands = Promise.withResolvers<void>()
  const seenMs = new Map<string, number>()
  const runs = new Set<string>()
  let version: string | undefined
  let last = 0
  let isOver = false

  const read = (line: string): void => {
    // The version is too old: all begins anew, and what was counted is not counted again.
    if (line.startsWith('{"type":"ERROR"')) version = undefined
    else version = /"resourceVersion":"(\d+)"/.exec(line)?.[1] ?? version
    const starts = line.startsWith('{"type":"ADDED"')
    const isThere = job.until === 'seen' ? starts : line.includes('"phase":"Running"')
    if (!starts && !isThere) return
    const name = /"name":"([^"]+)"/.exec(line)![1]!
    if (starts && !seenMs.has(name)) seenMs.set(name, nowMs())
    if (!isThere || runs.has(name)) return
    runs.add(name)
    last = nowMs()
    tally.count++
    tally.latenciesMs.push(last - (seenMs.get(name) ?? last))
    if (tally.count >= job.expected) done.resolve()
  }

  /** Resolves when the server has ended it in order, and rejects when it was cut off. */
  const watchOnce = async (): Promise<void> => {
    const connection = await openConnection(job.credentials)
    let kept = ''
    const path = version === undefined ? job.path : `${job.path}&resourceVersion=${version}`
    try {
      const code = await connection.exchange(requestHead(job.credentials, 'GET', path), {
        onHead: (status) => status === 200 && stands.resolve(),
        onBody: (bytes) => {
          tally.bytes += bytes.length
          const lines = (kept + bytes.toString('latin1')).split('\n')
          kept = lines.pop()!
          for (const line of lines) read(line)
          if (isOver) connection.close()
        },
      })
      if (code === 410) version = undefined
      else if (code !== 200) throw new Error(`watch: ${code} ${kept.slice(0, 200)}`)
    } finally {
      connection.close()
    }
  }
  const watchOn = async (): Promise<void> => {
    for (;;) {
      const why = await watchOnce().then(
        () => 'ended by the server',
        (error: Error) => error.message,
      )
      if (isOver) return
      process.stderr.write(`watch: ${why} after ${tally.count} of ${job.expected}; watching again from ${version ?? 'the beginning'}\n`)
      await sleep(againMs)
    }
  }
  void watchOn()
  const timer = setTimeout(() => {
    stands.reject(new Error('no watch stands'))
    done.resolve()
  }, job.timeoutMs)
  await stands.promise
  await begin()
  const begun = nowMs()
  await done.promise
  clearTimeout(timer)
  isOver = true
  return { ...tally, milliseconds: last - begun }
}
