// Checks that do not fit into one turn of the event loop, made one after another on a thread of their own: requests that
// need none never wait for it. The thread starts with the first check, and is ended where one takes longer than any may:
// no expression, pattern or schema of a user can hold the gateway up.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import { ApiError, type StatusCause, timeout, tooManyRequests } from '@shiplog/api/status'
import type { LongCheck, LongCheckInput } from '@shiplog/domain/write/long-check'
import type { Clock } from '@shiplog/runtime/clock'

/** A judgement that takes longer is given up; the whole budget of a request's rules takes about a second. */
export const longCheckTimeoutMs = 10_000
const waitingMax = 64
const heapMaxMb = 512
/** The thread forgets the schemas that it knows when they are more. */
const schemasMax = 200

export interface Question {
  readonly input: string
  readonly schema?: { readonly number: number; readonly text?: string }
  readonly forget: boolean
}

export type Answer = { readonly ready: true } | { readonly causes: StatusCause[] } | { readonly failed: string }

export interface LongChecks {
  make(check: LongCheck): Promise<readonly StatusCause[]>
  close(): Promise<void>
}

interface Waiting {
  readonly input: LongCheckInput
  readonly resolve: (causes: readonly StatusCause[]) => void
  readonly reject: (error: Error) => void
}

interface Asked {
  readonly check: Waiting
  deadline: Disposable | undefined
}

export interface LongChecksOptions {
  readonly clock: Pick<Clock, 'after'>
  readonly timeoutMs?: number
}

export function createLongChecks({ clock, timeoutMs = longCheckTimeoutMs }: LongChecksOptions): LongChecks {
  const waiting: Waiting[] = []
  const numbers = new WeakMap<JSONSchemaProps, number>()
  const told = new Set<number>()
  let numbered = 0
  let worker: Worker | undefined
  let isReady = false
  let busy: Asked | undefined

  const numberOf = (schema: JSONSchemaProps): number => {
    const known = numbers.get(schema) ?? ++numbered
    numbers.set(schema, known)
    return known
  }

  const questionOf = (input: LongCheckInput): Question => {
    if (input.of !== 'resource') return { input: JSON.stringify(input), forget: false }
    const { schema, ...rest } = input
    const number = numberOf(schema)
    const forget = told.size >= schemasMax
    if (forget) told.clear()
    const text = told.has(number) ? {} : { text: JSON.stringify(schema) }
    told.add(number)
    return { input: JSON.stringify(rest), schema: { number, ...text }, forget }
  }

  const settle = (act: (check: Waiting) => void): void => {
    const ended = busy
    if (!ended) return
    busy = undefined
    ended.deadline?.[Symbol.dispose]()
    act(ended.check)
    next()
  }

  const end = async (): Promise<void> => {
    const ending = worker
    worker = undefined
    isReady = false
    told.clear()
    await ending?.terminate()
  }

  const start = (): Worker => {
    const started = new Worker(workerProgram(), { resourceLimits: { maxOldGenerationSizeMb: heapMaxMb } })
    started.unref()
    started.on('message', (answer: Answer) => {
      if ('ready' in answer) {
        isReady = true
        if (busy) ask(busy)
      } else
        settle(({ resolve, reject }) => ('causes' in answer ? resolve(answer.causes) : reject(new Error(answer.failed))))
    })
    // Out of memory, most likely: whoever asked for so much is told, and the next check has a new thread.
    started.on('error', (error) => {
      if (worker !== started) return
      void end()
      settle(({ reject }) => reject(new Error('a long check ended its thread', { cause: error })))
    })
    return started
  }

  /** The time that a thread needs to start is not the check's. */
  const ask = (asked: Asked): void => {
    worker!.postMessage(questionOf(asked.check.input))
    asked.deadline = clock.after(timeoutMs, () => {
      void end()
      settle(({ reject }) => reject(new ApiError(timeout('request did not complete within the allotted timeout'))))
    })
  }

  const next = (): void => {
    const check = waiting.shift()
    if (!check) return
    busy = { check, deadline: undefined }
    worker ??= start()
    if (isReady) ask(busy)
  }

  return {
    make: ({ input }) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= waitingMax) {
          reject(new ApiError(tooManyRequests('too many requests, please try again later', 1)))
          return
        }
        waiting.push({ input, resolve, reject })
        if (!busy) next()
      }),
    close: end,
  }
}

/** Beside this file in a checkout; beside the bundles where everything is bundled. */
function workerProgram(): string {
  const bundles = ['long-checks.mjs', 'long-checks.cjs']
  const places = [
    join(import.meta.dirname, 'worker.ts'),
    ...bundles.flatMap((name) => [join(import.meta.dirname, name), join(import.meta.dirname, '..', name)]),
  ]
  const found = places.find((place) => existsSync(place))
  if (found === undefined) throw new Error(`the program of long checks is not there: ${places.join(', ')}`)
  return found
}
