// Asks before something is given up for good.
import { createInterface } from 'node:readline/promises'

/** Without a terminal nobody can be asked: --yes it must be. */
export async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write('shiplog: there is no terminal to ask on: --yes says yes\n')
    return false
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question('Go on? [y/N] ')).trim())
  } finally {
    terminal.close()
  }
}
