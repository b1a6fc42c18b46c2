// The kernel's table of connections of a node, as a port, and over /proc and the program conntrack.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { TrackedFlow } from './conntrack.ts'

const run = promisify(execFile)
const timeoutMs = 10_000

export interface FlowTable {
  read(): Promise<string>
  forget(flow: TrackedFlow): Promise<void>
}

export interface FlowTableOptions {
  /** Path of conntrack. */
  readonly conntrack: string
  /** A process of the network namespace; that of this process when absent. */
  readonly namespacePid?: number
}

export function createFlowTable({ conntrack, namespacePid }: FlowTableOptions): FlowTable {
  return {
    read: () => readFile(`/proc/${namespacePid ?? 'self'}/net/nf_conntrack`, 'utf8'),
    async forget({ family, source, destination, sourcePort, destinationPort }) {
      const args = [
        ...['-D', '-f', family, '-p', 'udp', '-s', source, '-d', destination],
        ...['--sport', String(sourcePort), '--dport', String(destinationPort)],
      ]
      const [program, ...all] =
        namespacePid === undefined
          ? [conntrack, ...args]
          : ['nsenter', '-t', String(namespacePid), '--net', conntrack, ...args]
      await run(program!, all, { timeout: timeoutMs })
    },
  }
}
