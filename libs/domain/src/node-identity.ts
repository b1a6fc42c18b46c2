// How a node agent is called: user `system:node:<name>` in group `system:nodes`, as upstream's kubelets.
import type { User } from './strategy.ts'

const prefix = 'system:node:'

/** The node that the user is the agent of. */
export const nodeOf = (user: User): string | undefined =>
  user.name.startsWith(prefix) && user.name.length > prefix.length && user.groups.includes('system:nodes')
    ? user.name.slice(prefix.length)
    : undefined

export const isNode = (user: User): boolean => nodeOf(user) !== undefined
