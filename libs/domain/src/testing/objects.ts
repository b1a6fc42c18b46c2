// Small builders for the tests of this package: a decision's context that repeats itself, and free allocations.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Allocations, DecisionContext } from '../strategy.ts'

/** A context whose ids count and whose integers are `pick`, bounded. */
export const testContext = (pick = 0): DecisionContext => {
  let count = 0
  return {
    nowMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    user: { name: 'tester', groups: ['system:authenticated'] },
    uuid: () => `00000000-0000-4000-8000-${String((count += 1)).padStart(12, '0')}`,
    integer: (below) => pick % below,
  }
}

/** Allocations from a plain record of holders. */
export const heldBy = (holders: Record<string, string> = {}): Allocations => ({ holder: (key) => holders[key] })

/** An object with the metadata that the decider would have filled in. */
export const object = (apiVersion: string, kind: string, rest: Record<string, unknown> = {}): KubeObject => ({
  apiVersion,
  kind,
  ...rest,
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'uid-1',
    creationTimestamp: '2026-01-02T03:04:05Z',
    ...(rest['metadata'] as object),
  },
})

/** A pod of one container. */
export const pod = (spec: Record<string, unknown> = {}, rest: Record<string, unknown> = {}): KubeObject =>
  object('v1', 'Pod', { ...rest, spec: { containers: [{ name: 'app', image: 'nginx:1.29' }], ...spec } })
