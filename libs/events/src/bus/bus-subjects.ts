// The subjects of the bus, and what they say of who speaks: on NATS a user may publish and hear nothing but its own, so
// that a subject is as good as a signature.
import { decodeToken, encodeToken } from '../subjects.ts'

/** Of gateways: each command and each opening of a feed is taken by one of them. */
export const gatewayQueue = 'gateways'

/** `cmd.<identity>`: what a user of the API asks of gateways. */
export const commandPrefix = (user: string): string => `cmd.${encodeToken(user)}`

/** `cmd.<identity>.<what>`: a command, or the opening of a feed. */
export const commandSubject = (user: string, what: 'request' | 'feed'): string => `${commandPrefix(user)}.${what}`

/** Commands of everybody. */
export const commandFilter = (what: 'request' | 'feed'): string => `cmd.*.${what}`

/** The user whose command it is; undefined for what is no such subject. */
export function userOfCommand(subject: string): string | undefined {
  const token = /^cmd\.([^.]+)\.[^.]+$/.exec(subject)?.[1]
  if (token === undefined) return undefined
  try {
    const user = decodeToken(token)
    // One user has one spelling, and permissions are given for that.
    return encodeToken(user) === token ? user : undefined
  } catch {
    return undefined
  }
}

/** `feed.<node>`: the channels of a node's feed. */
export const feedPrefix = (node: string): string => `feed.${encodeToken(node)}`

/** Where answers to a user of NATS come; nobody else may listen there. */
export const inboxPrefixOf = (user: string): string => `_INBOX_${encodeToken(user)}`

/**
 * Whether a gateway may send an answer to where a command of that user wants it. A gateway may publish everywhere: without
 * this, whoever commands could have it write to the log, or answer another's request.
 */
export function mayReply(user: string, reply: string): boolean {
  // Within one process, and where NATS knows no users.
  const prefixes = [`${inboxPrefixOf(user)}.`, '_INBOX.']
  return prefixes.some((prefix) => reply.startsWith(prefix)) && !/[\s*>]|\.\.|\.$/.test(reply)
}
