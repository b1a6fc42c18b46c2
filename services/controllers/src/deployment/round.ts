// One round about a Deployment: what it looks at, and what it decides before that becomes commands.
import type { Deployment, DeploymentCondition, ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import type { Command, EventRecord } from '@shiplog/reconcile/reconciler'
import type { ObjectView } from '@shiplog/reconcile/view'
import type { Condition } from '../shared/conditions.ts'
import { setDeploymentCondition } from './deployment-conditions.ts'

export const replicaSets = { group: 'apps', resource: 'replicasets' }
/** What "no deadline" and "no limit" are written as. */
export const unlimited = 2_147_483_647

/** What one round decides, collected before it becomes commands. */
export interface Round {
  readonly deployment: Deployment
  readonly view: ObjectView
  readonly nowMs: number
  /** Why the last try to create a ReplicaSet was refused, other than by a race. */
  readonly createFailure: string | undefined
  readonly all: readonly ReplicaSet[]
  /** In order of creation. */
  readonly old: readonly ReplicaSet[]
  readonly newest: ReplicaSet | undefined
  /** Wanted sizes of ReplicaSets that change theirs, by name. */
  readonly sizes: Map<string, number>
  /** Wanted changes of the newest ReplicaSet beside its size. */
  newestAnnotations: Record<string, string> | undefined
  newestMinReady: boolean
  conditions: readonly DeploymentCondition[]
  /** The revision that the Deployment should show. */
  revision: string | undefined
  collisionCount: number | undefined
  readonly commands: Command[]
  readonly events: EventRecord[]
  requeueAfterMs: number | undefined
}

export const hasDeadline = (deployment: Deployment): boolean => {
  const seconds = deployment.spec.progressDeadlineSeconds
  return seconds !== undefined && seconds !== unlimited
}

/** Sets a condition. */
export function note(round: Round, condition: Condition): void {
  round.conditions = setDeploymentCondition(round.conditions, condition, round.nowMs)
}
