// Who may connect to NATS, with which rights and passwords; the same for a server that we start and for one of a
// composition of containers.
import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'

/** Who may connect. Only gateways write to the streams; readers see everything in them; see DESIGN.md, law 2 and 11. */
export type NatsUser = 'gateway' | 'reader'

export interface NatsCredentials {
  readonly user: string
  readonly password: string
  /** Replies come under this prefix, and nobody else may listen there. */
  readonly inboxPrefix: string
}

export type NatsUsers = Readonly<Record<NatsUser, NatsCredentials>>

/** The `authorization` block of a nats-server's configuration. */
export function natsAuthorization({ gateway, reader }: NatsUsers): string {
  const quote = JSON.stringify
  return `authorization {
  users: [
    {
      user: ${quote(gateway.user)}
      password: ${quote(gateway.password)}
      permissions: {
        publish: {
          allow: [">"]
          deny: ["$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.RESTORE.>", "$JS.API.STREAM.MSG.DELETE.>", "$SYS.>"]
        }
        subscribe: { allow: ["${gateway.inboxPrefix}.>", "cmd.>", "feed.>", "tun.>"] }
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
  ]
}
`
}

/** Made once and kept, so that a component which runs alone finds them too. */
export async function loadNatsCredentials(file: string): Promise<Record<NatsUser, NatsCredentials>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<NatsUser, NatsCredentials>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const make = (user: NatsUser): NatsCredentials => ({
    user,
    password: randomBytes(24).toString('base64url'),
    inboxPrefix: `_INBOX_${user}`,
  })
  const credentials = { gateway: make('gateway'), reader: make('reader') }
  await writeFile(`${file}.new`, JSON.stringify(credentials, undefined, 2), { mode: 0o600 })
  await rename(`${file}.new`, file)
  return credentials
}
