// The packet filter of a node, as a port: transactions go in, and what is there comes out.
import type { Command } from './ruleset.ts'
import type { Family } from './statements.ts'

export interface PacketFilter {
  /** All of them or none. Rejects with what the kernel says. */
  apply(commands: readonly Command[]): Promise<void>
  /** The JSON of a table; undefined when there is none. */
  list(family: Family, table: string): Promise<string | undefined>
}
