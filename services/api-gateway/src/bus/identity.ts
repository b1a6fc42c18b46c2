// Who speaks on the bus: the subject says it, and NATS lets nobody publish on another's.
import { mayReply, userOfCommand } from '@shiplog/events/bus/bus-subjects'
import type { BusMessage } from '@shiplog/events/bus/bus'
import { isNode } from '@shiplog/domain/node-identity'
import type { User } from '@shiplog/domain/strategy'

/** The user of a command's subject; undefined for all but node agents, who are the only ones that command by the bus. */
export function busUser(subject: string): User | undefined {
  const name = userOfCommand(subject)
  if (name === undefined) return undefined
  const user: User = { name, groups: ['system:nodes', 'system:authenticated'] }
  return isNode(user) ? user : undefined
}

/** Whether an answer may go where the message wants it. */
export function mayAnswer({ subject, reply }: BusMessage): boolean {
  const user = busUser(subject)
  return user !== undefined && reply !== undefined && mayReply(user.name, reply)
}
