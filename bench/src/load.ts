// Runs load generators: each job in a process of its own, begun when its connections stand.
import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { FromWorker, Job, LoadResult, ToWorker } from './load-jobs.ts'

export interface Load {
  /** Gives the word, and waits for what it saw. */
  run(): Promise<LoadResult>
}

/** Resolves when the generator is ready to begin. */
export function prepareLoad(job: Job): Promise<Load> {
  const child = fork(join(import.meta.dirname, 'load-worker.ts'), { execArgv: [], serialization: 'advanced' })
  const ready = Promise.withResolvers<void>()
  const result = Promise.withResolvers<LoadResult>()
  // Whichever of the two is waited for says what went wrong.
  result.promise.catch(() => undefined)
  const fail = (error: Error): void => {
    ready.reject(error)
    result.reject(error)
  }
  child.on('message', (message: FromWorker) => {
    if ('ready' in message) ready.resolve()
    else {
      if ('result' in message) result.resolve(message.result)
      else fail(new Error(`load generator (${job.kind}): ${message.failed}`))
      child.disconnect()
    }
  })
  child.on('error', fail)
  child.on('exit', (code) => fail(new Error(`load generator (${job.kind}) ended with ${code}`)))
  child.send(job)
  return ready.promise.then(() => ({
    run: () => {
      child.send({ go: true } satisfies ToWorker)
      return result.promise
    },
  }))
}

/** Prepares and runs; fails when requests failed, since a figure of errors is no figure. */
export async function runLoad(job: Job): Promise<LoadResult> {
  const load = await prepareLoad(job)
  const result = await load.run()
  if (result.errors > 0) throw new Error(`${result.errors} of ${job.kind} failed, the first with ${result.firstError}`)
  return result
}

export const perSecond = ({ count, milliseconds }: LoadResult): number => (count / milliseconds) * 1_000
