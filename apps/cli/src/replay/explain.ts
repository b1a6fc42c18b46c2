// Faults of a start, in the words of somebody who can do something about them.

interface Asked {
  readonly port: number
  readonly host: string
  readonly dataDir: string
}

export function explain(error: unknown, asked: Asked): string {
  const { code, message, cause } = error as NodeJS.ErrnoException & { cause?: unknown }
  if (code === 'EADDRINUSE')
    return `port ${asked.port} is taken: choose another with --port, or any free one with --port 0`
  if (code === 'EADDRNOTAVAIL') return `${asked.host} is not an address of this machine: choose another with --host`
  if (code === 'EACCES' && message.includes('listen')) {
    return `port ${asked.port} may not be used by this user: choose one above 1023 with --port`
  }
  if (code === 'EACCES' || code === 'EROFS') return `${asked.dataDir} cannot be written: ${message}`
  const text = error instanceof Error ? message : String(error)
  return cause instanceof Error ? `${text} (${cause.message})` : text
}
