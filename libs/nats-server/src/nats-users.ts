// Who may connect to NATS, with which rights and passwords; the same for a server that we start and for one of a
// composition of containers.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { parseSecretJson, writeSecretFileSoon } from '@shiplog/runtime/secret-files'
import { commandPrefix, feedPrefix, inboxPrefixOf } from '@shiplog/events/bus/bus-subjects'
import { encodeToken } from '@shiplog/events/subjects'

/** Who may work with the log. Only gateways write to the streams; readers see everything in them; see DESIGN.md, law 2 and 11. */
export type NatsUser = 'gateway' | 'reader'

export interface NatsCredentials {
  readonly user: string
  readonly password: string
  /** Replies come under this prefix, and nobody else may listen there. */
  readonly inboxPrefix: string
}

/** Everybody who may connect. */
export interface NatsUsers extends Readonly<Record<NatsUser, NatsCredentials>> {
  /** The agents of nodes, by the node's name: they see nothing of the log, and speak on the bus as themselves. */
  readonly nodes: Readonly<Record<string, NatsCredentials>>
}

/** The `authorization` block of a nats-server's configuration. */
export function natsAuthorization({ gateway, reader, nodes }: NatsUsers): string {
  const quote = JSON.stringify
  return `authorization {
  users: [
    {
      user: ${quote(gateway.user)}
      password: ${quote(gateway.password)}
      permissions: {
        publish: {
          allow: [">"]
          deny: [
            "$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.RESTORE.>", "$SYS.>"
            "$JS.API.STREAM.MSG.DELETE.EVENTS", "$JS.API.STREAM.MSG.DELETE.LEASES", "$JS.API.STREAM.MSG.DELETE.OBJEVENTS"
          ]
        }
        subscribe: { allow: ["${gateway.inboxPrefix}.>", "cmd.>", "feed.>", "tun.>", "use.>"] }
      }
    }
    {
      user: ${quote(reader.user)}
      password: ${quote(reader.password)}
      permissions: {
        publish: {
          allow: [
            "$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.>"
            "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.INFO.>", "$JS.API.CONSUMER.DELETE.>", "$JS.FC.>"
          ]
        }
        subscribe: { allow: ["${reader.inboxPrefix}.>"] }
      }
    }
${Object.entries(nodes)
  .map(([node, credentials]) => agentOf(node, credentials))
  .join('')}  ]
}
`
}

/**
 * What an agent may say and hear: its commands, and its side of its channels. It may answer what asks it for a channel. No
 * subject is both, so it cannot send itself a message that has it answer elsewhere.
 */
function agentOf(node: string, { user, password, inboxPrefix }: NatsCredentials): string {
  const quote = JSON.stringify
  const token = encodeToken(node)
  const [commands, feed, tunnel, usage] = [commandPrefix(user), feedPrefix(node), `tun.${token}`, `use.${token}`]
  return `    {
      user: ${quote(user)}
      password: ${quote(password)}
      permissions: {
        publish: { allow: ["${commands}.>", "${feed}.*.opener", "${tunnel}.*.acceptor", "${usage}"] }
        subscribe: { allow: ["${inboxPrefix}.>", "${feed}.*.acceptor", "${tunnel}.open", "${tunnel}.*.opener"] }
        allow_responses: { max: 1, expires: "1m" }
      }
    }
`
}

/** Made once and kept, so that a component which runs alone finds them too; nodes may be added. */
export async function loadNatsCredentials(file: string, nodes: readonly string[] = []): Promise<NatsUsers> {
  const known = await readCredentials(file)
  const make = (user: string, inboxPrefix: string): NatsCredentials => ({
    user,
    password: randomBytes(24).toString('base64url'),
    inboxPrefix,
  })
  const users: NatsUsers = {
    gateway: known.gateway ?? make('gateway', '_INBOX_gateway'),
    reader: known.reader ?? make('reader', '_INBOX_reader'),
    nodes: { ...known.nodes },
  }
  const missing = nodes.filter((node) => users.nodes[node] === undefined)
  if (known.gateway !== undefined && missing.length === 0) return users
  const added = missing.map((node) => {
    const user = `system:node:${node}`
    return [node, make(user, inboxPrefixOf(user))] as const
  })
  const all = { ...users, nodes: { ...users.nodes, ...Object.fromEntries(added) } }
  await writeSecretFileSoon(file, JSON.stringify(all, undefined, 2))
  return all
}

async function readCredentials(file: string): Promise<Partial<NatsUsers>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return {}
  }
  return parseSecretJson(text, file) as Partial<NatsUsers>
}
