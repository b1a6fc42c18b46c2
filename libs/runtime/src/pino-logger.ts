// The Logger port on pino: JSON lines on standard error. pino is loaded when the first line is written, so that a process
// which has nothing to say starts faster; until it is there (a few milliseconds) lines wait in order.
import type { Logger } from './logger.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

interface PinoLike {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): PinoLike
}

const rank: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50, silent: 99 }
/** Lines that wait for pino; more than this cannot come in the few milliseconds of its loading. */
const waitingLinesMax = 10_000

/** A logger for the whole process; parts of it take `child({ component: 'kube-scheduler' })`. */
export function createPinoLogger(options: { readonly level: LogLevel; readonly name?: string }): Logger {
  const least = rank[options.level]
  let root: PinoLike | undefined
  let loading = false
  const waiting: (() => void)[] = []

  async function load(): Promise<void> {
    const { pino } = await import('pino')
    root = pino(
      {
        level: options.level,
        ...(options.name ? { name: options.name } : {}),
        formatters: { level: (label) => ({ level: label }) },
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
      },
      pino.destination({ dest: 2, sync: true }),
    )
    for (const line of waiting.splice(0)) line()
  }

  function loggerOf(resolve: () => PinoLike): Logger {
    const at =
      (level: Exclude<LogLevel, 'silent'>) =>
      (fields: object, message: string): void => {
        if (rank[level] < least) return
        if (root !== undefined) {
          resolve()[level](fields, message)
          return
        }
        if (waiting.length < waitingLinesMax) waiting.push(() => resolve()[level](fields, message))
        if (loading) return
        loading = true
        void load()
      }
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => {
        let own: PinoLike | undefined
        return loggerOf(() => (own ??= resolve().child(fields)))
      },
    }
  }

  return loggerOf(() => root!)
}
