// `shiplog pki`: certificates, and credentials for NATS, for a cluster whose services run apart.
import { writeComponentFiles } from '@shiplog/all-in-one/component-files'
import { systemClock } from '@shiplog/runtime/clock'

export interface PkiCommandOptions {
  readonly out: string
  readonly host: readonly string[]
  readonly node: readonly string[]
  readonly server: string
  readonly owner?: { readonly uid: number; readonly gid: number }
}

export async function pki({ out, host, node, server, owner }: PkiCommandOptions): Promise<void> {
  const nowMs = systemClock.nowMs()
  const files = { directory: out, nowMs, hosts: host, nodes: node, server, owner }
  const { directories, notes } = await writeComponentFiles(files)
  for (const note of notes) process.stderr.write(`shiplog: ${note}\n`)
  for (const directory of directories) process.stdout.write(`${directory}\n`)
}
