// How every command ends: whatever ends it (its reader goes away, a signal, a fault that nobody caught, the end of the
// process that started it), it first ends what it began. What SIGKILL leaves is ended by those who watch for that
// (kept-process.ts) and taken over by the next command on the directory (directory-lock.ts).
import { Socket } from 'node:net'
import { systemClock } from '@shiplog/runtime/clock'

type Undo = () => Promise<void> | void

/** The promise is 5 s; what is not done by then is left to the next start, which repairs it. */
const endTimeoutMs = 4_800
/** Documented in --help: a signal, and a reader that has enough, are orderly ends. */
const exitCode = { done: 0, failed: 1 } as const
/** `3 of 4711`: tools/run.mjs, process 4711, holds the other end of this pipe as long as it lives. */
const starterVariable = 'SHIPLOG_STARTER_FD'

const undo = new Set<Undo>()
let ending = false
/** Set by commands that stay: they end themselves, in words of their own. */
let stayed: ((why: string) => void) | undefined

/**
 * Has something undone when the command ends early, or when it is asked for: once, and whoever ends the command while it
 * is under way waits for it.
 */
export function onEnd(how: Undo): () => Promise<void> {
  let done: Promise<void> | undefined
  const once = (): Promise<void> => {
    done ??= (async () => await how())().finally(() => undo.delete(once))
    return done
  }
  undo.add(once)
  return once
}

/** `up` and `apart` stop by themselves when they are asked to. */
export function endBy(how: (why: string) => void): void {
  stayed = how
}

/** Undoes what was begun, newest first, and ends the process. */
export async function endCommand(code: number): Promise<never> {
  if (ending) return await new Promise<never>(() => undefined)
  ending = true
  systemClock.after(endTimeoutMs, () => process.exit(code))
  for (const how of [...undo].reverse()) {
    try {
      await how()
    } catch {
      // The next start repairs it.
    }
  }
  process.exit(code)
}

const isGoneReader = (error: unknown): boolean => (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE'

function ask(why: string): void {
  if (stayed) stayed(why)
  else void endCommand(exitCode.done)
}

/** To be called once, before a command begins. */
export function watchForEnd(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ask(signal))
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => (isGoneReader(error) ? ask('nobody reads what is said') : failed(error)))
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, fault)
  watchStarter()
}

/** A fault of ours, and not of what was asked for: where it happened is told, too. */
function fault(error: unknown): void {
  if (!isGoneReader(error) && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  failed(error)
}

function watchStarter(): void {
  const [descriptor, starterPid] = process.env[starterVariable]?.split(' of ').map(Number) ?? []
  delete process.env[starterVariable]
  // The variable may have come from further up: then the descriptor is none of ours.
  if (descriptor === undefined || starterPid !== process.ppid) return
  const starter = new Socket({ fd: descriptor, readable: true, writable: false })
  starter.on('error', () => undefined)
  starter.once('close', () => ask('the process that started this is gone'))
  starter.resume()
  starter.unref()
}

/** Says what went wrong, undoes what was begun, and ends the process. */
export function failed(error: unknown): void {
  if (isGoneReader(error)) {
    ask('nobody reads what is said')
    return
  }
  process.stderr.write(`shiplog: ${error instanceof Error ? error.message : String(error)}\n`)
  void endCommand(exitCode.failed)
}
