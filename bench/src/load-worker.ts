// A load generator: a process that takes one job, opens its connections, waits for the word, works, and tells what it saw.
import { type ApiConnection, openConnection, post, requestHead } from './api-connection.ts'
import { churn } from './churn.ts'
import type { CreateJob, FromWorker, GetJob, Job, ListJob, LoadResult, StallJob, WatchJob } from './load-jobs.ts'
import { monotonicMicros, nameMark, nameOf, sentAnnotation, sentDigits, sentMark } from './payloads.ts'
import { running } from './running.ts'

const tell = (message: FromWorker): void => void process.send!(message)
const nowMs = (): number => monotonicMicros() / 1_000

interface Tally {
  count: number
  errors: number
  firstError?: string
  bytes: number
  readonly latenciesMs: number[]
}

const newTally = (): Tally => ({ count: 0, errors: 0, bytes: 0, latenciesMs: [] })

/** One exchange, counted. */
async function timed(connection: ApiConnection, request: string, tally: Tally): Promise<void> {
  const begun = nowMs()
  let body = ''
  let bytes = 0
  let bad = false
  const code = await connection.exchange(request, {
    onHead: (status) => {
      bad = status >= 300
    },
    onBody: (part) => {
      bytes += part.length
      if (bad) body += part.toString('utf8')
    },
  })
  tally.bytes += bytes
  if (code >= 300) {
    tally.errors++
    tally.firstError ??= `${code} ${body.slice(0, 300)}`
  } else {
    tally.count++
    tally.latenciesMs.push(nowMs() - begun)
  }
}

/**
 * Opens in small groups: a thousand handshakes at once would only wait for each other. What is to be asked first is asked
 * at once: a server closes connections that ask nothing.
 */
async function connections(
  job: Job,
  first: (connection: ApiConnection) => Promise<void> | void = () => undefined,
): Promise<ApiConnection[]> {
  const all: ApiConnection[] = []
  while (all.length < job.connections) {
    const group = Math.min(32, job.connections - all.length)
    const opened = await Promise.all(Array.from({ length: group }, () => openConnection(job.credentials)))
    await Promise.all(opened.map(first))
    all.push(...opened)
  }
  return all
}

async function create(job: CreateJob, open: readonly ApiConnection[]): Promise<LoadResult> {
  const tally = newTally()
  const begun = nowMs()
  const end = begun + (job.milliseconds ?? Number.POSITIVE_INFINITY)
  const count = job.count ?? Number.POSITIVE_INFINITY
  let next = 0
  const writer = async (connection: ApiConnection): Promise<void> => {
    while (next < count && nowMs() < end) {
      const number = next++
      if (job.perSecond !== undefined) {
        const wait = begun + (number * 1_000) / job.perSecond - nowMs()
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      }
      const body = job.body.replaceAll(nameMark, nameOf(job.prefix, number)).replace(sentMark, sentDigits())
      await timed(connection, post(job.credentials, job.path, body), tally)
    }
  }
  await Promise.all(open.map(writer))
  return { ...tally, milliseconds: nowMs() - begun }
}

async function get(job: GetJob, open: readonly ApiConnection[]): Promise<LoadResult> {
  const tally = newTally()
  const requests = job.paths.map((path) => requestHead(job.credentials, 'GET', path))
  const begun = nowMs()
  let next = 0
  const reader = async (connection: ApiConnection): Promise<void> => {
    const isOver = (): boolean => nowMs() - begun >= (job.milliseconds ?? Infinity) || next >= (job.count ?? Infinity)
    while (!isOver()) await timed(connection, requests[next++ % requests.length]!, tally)
  }
  await Promise.all(open.map(reader))
  return { ...tally, milliseconds: nowMs() - begun }
}

async function list(job: ListJob, open: readonly ApiConnection[]): Promise<LoadResult> {
  const tally = newTally()
  const firstByteMs: number[] = []
  const request = requestHead(job.credentials, 'GET', job.path)
  const begun = nowMs()
  await Promise.all(
    open.map(async (connection) => {
      let first = 0
      const code = await connection.exchange(request, {
        onBody: (part) => {
          if (first === 0) first = nowMs() - begun
          tally.bytes += part.length
        },
      })
      if (code === 200) tally.count++
      else tally.errors++
      firstByteMs.push(first)
      tally.latenciesMs.push(nowMs() - begun)
    }),
  )
  return { ...tally, firstByteMs, milliseconds: nowMs() - begun }
}

/** Counts frames by the annotation that each object carries once, and takes its age. */
function frameCounter(tally: Tally): (bytes: Buffer) => void {
  const mark = Buffer.from(`"${sentAnnotation}":"`)
  const whole = mark.length + sentMark.length
  let kept = Buffer.alloc(0)
  const scan = (bytes: Buffer): number => {
    let at = 0
    for (;;) {
      const found = bytes.indexOf(mark, at)
      if (found < 0 || found + whole > bytes.length) return at
      const sent = Number(bytes.toString('latin1', found + mark.length, found + whole))
      tally.count++
      tally.latenciesMs.push((monotonicMicros() - sent) / 1_000)
      at = found + whole
    }
  }
  return (bytes) => {
    tally.bytes += bytes.length
    // A mark may lie across two pieces: the seam is looked at by itself.
    const seam = Buffer.concat([kept, bytes.subarray(0, whole - 1)])
    const used = Math.max(0, scan(seam) - kept.length)
    const rest = bytes.subarray(used)
    const end = scan(rest)
    const tail = rest.subarray(Math.max(end, rest.length - whole + 1))
    kept = bytes.length < whole ? Buffer.concat([kept, bytes]).subarray(-(whole - 1)) : Buffer.from(tail)
  }
}

async function watch(job: WatchJob, begin: () => Promise<void>): Promise<LoadResult> {
  const tally = newTally()
  const done = Promise.withResolvers<void>()
  let last = 0
  const request = requestHead(job.credentials, 'GET', job.path)
  const open = await connections(job, (connection) => {
    const headers = Promise.withResolvers<void>()
    const count = frameCounter(tally)
    connection
      .exchange(request, {
        onHead: (code) => (code === 200 ? headers.resolve() : headers.reject(new Error(`watch: ${code}`))),
        onBody: (bytes) => {
          count(bytes)
          last = nowMs()
          if (tally.count >= job.expected) done.resolve()
        },
      })
      .then(
        () => tally.errors++,
        (error: Error) => {
          if (job.mayBeCut) return
          tally.errors++
          tally.firstError ??= error.message
          headers.reject(error)
        },
      )
    return headers.promise
  })
  await begin()
  const begun = nowMs()
  const timer = setTimeout(() => done.resolve(), job.timeoutMs)
  await done.promise
  clearTimeout(timer)
  for (const connection of open) connection.close()
  return { ...tally, milliseconds: last - begun }
}

async function stall(job: StallJob, begin: () => Promise<void>): Promise<LoadResult> {
  const tally = newTally()
  await begin()
  const begun = nowMs()
  const open = await connections(job, (connection) => {
    const askedMs = nowMs()
    const onHead = (code: number): void => {
      tally.latenciesMs.push(nowMs() - askedMs)
      if (code === 200) tally.count++
      else {
        tally.errors++
        tally.firstError ??= String(code)
      }
      connection.pause()
    }
    connection.exchange(requestHead(job.credentials, 'GET', job.path), { onHead }).catch(() => undefined)
  })
  await new Promise((resolve) => setTimeout(resolve, job.milliseconds))
  for (const connection of open) connection.close()
  return { ...tally, milliseconds: nowMs() - begun }
}

async function work(job: Job): Promise<LoadResult> {
  const begin = (): Promise<void> => {
    const word = new Promise<void>((resolve) => process.once('message', () => resolve()))
    tell({ ready: true })
    return word
  }
  if (job.kind === 'watch') return await watch(job, begin)
  if (job.kind === 'stall') return await stall(job, begin)
  if (job.kind === 'running') return await running(job, begin)
  const open = await connections(job)
  try {
    await begin()
    if (job.kind === 'create') return await create(job, open)
    if (job.kind === 'churn') return await churn(job, open)
    return job.kind === 'get' ? await get(job, open) : await list(job, open)
  } finally {
    for (const connection of open) connection.close()
  }
}

process.once('message', (job) => {
  work(job as Job).then(
    (result) => tell({ result }),
    (error: Error) => tell({ failed: error.stack ?? error.message }),
  )
})
process.once('disconnect', () => process.exit(0))
