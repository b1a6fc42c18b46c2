// `shiplog pki`: certificates, and credentials for NATS, for a cluster whose services run apart.
import { writeComponentFiles } from '@shiplog/all-in-one/component-files'
import { systemClock } from '@shiplog/runtime/clock'

export interface PkiCommandOptions {
  readonly out: string
  readonly host: readonly string[]
  readonly node: readonly string[]
  readonly server: string
}

export async function pki({ out, host, node, server }: PkiCommandOptions): Promise<void> {
  const nowMs = systemClock.nowMs()
  const written = await writeComponentFiles({ directory: out, nowMs, hosts: host, nodes: node, server })
  for (const directory of written) process.stdout.write(`${directory}\n`)
}
