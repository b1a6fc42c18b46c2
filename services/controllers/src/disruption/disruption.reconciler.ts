// Disruption: what a PodDisruptionBudget still allows, for the eviction subresource to take from, and the end of evictions
// that led to nothing. Reasons and sentences are upstream's (pkg/controller/disruption).
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { Condition } from '@shiplog/api/generated/types/meta-v1'
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '@shiplog/api/generated/types/policy-v1'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { compileLabelSelector } from '@shiplog/api/selectors'
import {
  forResource,
  readsResource,
  settled,
  watchesResource,
  type ChangeOf,
  type Command,
  type EventRecord,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
} from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import { rfc3339 } from '@shiplog/runtime/clock'
import { isBeingDeleted } from '../shared/ownership.ts'
import { isFinished, isReady, podCondition } from '../shared/pods.ts'
import { podLabelsIndex, podsBySelector } from '../shared/pods-by-label.ts'
import { expectedPods } from './expected-pods.ts'

/** How long an evicted pod may stay before the budget takes its disruption back. */
const deletionTimeoutMs = 2 * 60_000
/** How long a pod may say that it is being disrupted without being deleted. */
const staleDisruptionMs = 2 * 60_000
/** Keys of pods begin so; other keys are budgets. */
const podPrefix = 'pod '

export const disruptionReconciler: Reconciler = {
  name: 'disruption',
  component: 'controllermanager',
  indexes: [podLabelsIndex],
  resources: [
    forResource('poddisruptionbudgets.policy'),
    watchesResource('pods', keysOfPod),
    readsResource('replicationcontrollers'),
    readsResource('replicasets.apps'),
    readsResource('statefulsets.apps'),
    readsResource('deployments.apps'),
  ],
  reconcile: (key, view, context) =>
    key.startsWith(podPrefix)
      ? reconcilePod(key.slice(podPrefix.length), view, context)
      : reconcileBudget(key, view, context),
}

/** The budgets that select the pod, or did; and the pod itself when it says that it is being disrupted, or has several. */
function* keysOfPod(change: ChangeOf<'pods'>, before: Pod | undefined, view: ObjectView): Iterable<string> {
  const pod = change.object
  let found = 0
  for (const budget of view.list('poddisruptionbudgets.policy', change.namespace)) {
    const selector = compileLabelSelector(budget.spec.selector)
    if (selector.matches(pod.metadata.labels)) found++
    if (selector.matches(pod.metadata.labels) || (before && selector.matches(before.metadata.labels))) {
      yield keyOfObject(budget)
    }
  }
  const isDisrupted = podCondition(pod, 'DisruptionTarget')?.status === 'True'
  if (!change.deleted && (isDisrupted || found > 1)) yield podPrefix + keyOfObject(pod)
}

function reconcileBudget(key: string, view: ObjectView, { nowMs }: ReconcileContext): ReconcileResult {
  const budget = view.get('poddisruptionbudgets.policy', key)
  if (!budget) return settled
  const pods = podsBySelector(view, budget.metadata.namespace!, budget.spec.selector)
  const events: EventRecord[] = []
  const tell = (type: EventRecord['type'], reason: string, message: string): void =>
    void events.push({ object: budget, type, reason, message })
  if (pods.length === 0) tell('Normal', 'NoPods', 'No matching pods found')
  const expected = expectedPods(view, budget, pods)
  if ('failure' in expected) {
    const message = `Failed to calculate the number of expected pods: ${expected.failure}`
    tell('Warning', 'CalculateExpectedPodCountFailed', message)
    return { commands: writeStatus(budget, failSafe(budget, expected.failure, nowMs)), events }
  }
  if (expected.hasUnmanaged) tell('Warning', 'UnmanagedPods', unmanagedMessage(budget))
  const { disrupted, recheckMs, late } = disruptedPods(budget, pods, nowMs)
  for (const pod of late) {
    const { namespace } = budget.metadata
    const message = `Pod was expected by PDB ${namespace}/${namespace} to be deleted but it wasn't`
    events.push({ object: pod, type: 'Warning', reason: 'NotDeleted', message })
  }
  const healthy = pods.filter((pod) => isReady(pod) && !isBeingDeleted(pod) && !(pod.metadata.name in disrupted)).length
  const status = statusOf(budget, nowMs, { ...expected, healthy, disrupted })
  return {
    commands: writeStatus(budget, status),
    events,
    ...(recheckMs === undefined ? {} : { requeueAfterMs: recheckMs }),
  }
}

const unmanagedMessage = ({ spec: { selector } }: PodDisruptionBudget): string => {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([name, value]) => `${name}: ${value}`)
  return (
    `Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{${labels.join(',')}${labels.length > 0 ? ',' : ''}},MatchExpressions:[]LabelSelectorRequirement{},}) were found ` +
    'to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. ' +
    'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
  )
}

/** Evictions that the API has let through and whose pods still stand; those that take too long are given up. */
function disruptedPods(budget: PodDisruptionBudget, pods: readonly Pod[], nowMs: number) {
  const disrupted: Record<string, string> = {}
  const late: Pod[] = []
  let recheckMs: number | undefined
  const noted = budget.status.disruptedPods ?? {}
  for (const pod of pods) {
    const at = noted[pod.metadata.name]
    if (at === undefined || isBeingDeleted(pod)) continue
    const leftMs = Date.parse(at) + deletionTimeoutMs - nowMs
    if (leftMs <= 0) late.push(pod)
    else {
      disrupted[pod.metadata.name] = at
      recheckMs = Math.min(recheckMs ?? leftMs, leftMs)
    }
  }
  return { disrupted, late, recheckMs }
}

// ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Counted {
  readonly count: number
  readonly desiredHealthy: number
  readonly healthy: number
  readonly disrupted: Readonly<Record<string, string>>
}

function statusOf(
  budget: PodDisruptionBudget,
  nowMs: number,
  { count, desiredHealthy, healthy, disrupted }: Counted,
): PodDisruptionBudgetStatus {
  const allowed = count <= 0 ? 0 : Math.max(0, healthy - desiredHealthy)
  const generation = budget.metadata.generation ?? 0
  return {
    observedGeneration: generation,
    ...(Object.keys(disrupted).length > 0 ? { disruptedPods: { ...disrupted } } : {}),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy,
    expectedPods: count,
    conditions: withAllowed(budget, nowMs, {
      status: allowed > 0 ? 'True' : 'False',
      reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
      message: '',
      observedGeneration: generation,
    }),
  }
}

/** When it cannot be told what may go, nothing may. */
function failSafe(budget: PodDisruptionBudget, message: string, nowMs: number): PodDisruptionBudgetStatus {
  const { observedGeneration } = budget.status
  return {
    ...budget.status,
    disruptionsAllowed: 0,
    conditions: withAllowed(budget, nowMs, {
      status: 'False',
      reason: 'SyncFailed',
      message,
      ...(observedGeneration === undefined ? {} : { observedGeneration }),
    }),
  }
}

/** The conditions with DisruptionAllowed set; its time is that of the last change of its status. */
function withAllowed(
  budget: PodDisruptionBudget,
  nowMs: number,
  wanted: Omit<Condition, 'type' | 'lastTransitionTime'>,
): Condition[] {
  const conditions = budget.status.conditions ?? []
  const before = conditions.find(({ type }) => type === 'DisruptionAllowed')
  const since = before && before.status === wanted.status ? before.lastTransitionTime : rfc3339(nowMs)
  const next: Condition = { type: 'DisruptionAllowed', ...wanted, lastTransitionTime: since }
  return before ? conditions.map((one) => (one === before ? next : one)) : [...conditions, next]
}

function writeStatus(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): readonly Command[] {
  if (jsonEqual(status, budget.status)) return []
  return [
    {
      request: {
        verb: 'update',
        group: 'policy',
        resource: 'poddisruptionbudgets',
        subresource: 'status',
        namespace: budget.metadata.namespace!,
        name: budget.metadata.name,
        body: { ...budget, status },
      },
    },
  ]
}

// ── pods that say that they are being disrupted ──────────────────────────────────────────────────────────────────────

function reconcilePod(key: string, view: ObjectView, context: ReconcileContext): ReconcileResult {
  const pod = view.get('pods', key)
  if (!pod) return settled
  return { ...endStaleDisruption(pod, context), events: chosenArbitrarily(pod, view) }
}

/** A pod that several budgets select cannot be evicted: it is told of when it changes. */
function chosenArbitrarily(pod: Pod, view: ObjectView): EventRecord[] {
  const { namespace, name, labels } = pod.metadata
  const budgets = [...view.list('poddisruptionbudgets.policy', namespace)]
    .filter(({ spec }) => compileLabelSelector(spec.selector).matches(labels))
    .map(({ metadata }) => metadata.name)
    .sort()
  if (budgets.length < 2) return []
  const named = `${JSON.stringify(namespace)}/${JSON.stringify(name)}`
  const message = `Pod ${named} matches multiple PodDisruptionBudgets.  Chose ${JSON.stringify(budgets[0])} arbitrarily.`
  return [{ object: pod, type: 'Warning', reason: 'MultiplePodDisruptionBudgets', message }]
}

/** A pod whose eviction led to nothing says so again, so that nobody waits for its end. */
function endStaleDisruption(pod: Pod, { nowMs }: ReconcileContext): ReconcileResult {
  const condition = podCondition(pod, 'DisruptionTarget')
  if (condition?.status !== 'True' || isBeingDeleted(pod) || isFinished(pod)) return settled
  if (condition.reason === 'TerminationByKubelet') return settled
  const leftMs = Date.parse(condition.lastTransitionTime ?? '') + staleDisruptionMs - nowMs
  if (leftMs > 0) return { requeueAfterMs: leftMs }
  const ended = { type: 'DisruptionTarget', status: 'False', lastProbeTime: null, lastTransitionTime: rfc3339(nowMs) }
  const conditions = (pod.status.conditions ?? []).map((one) => (one === condition ? ended : one))
  const { namespace, name } = pod.metadata
  const body = { ...pod, status: { ...pod.status, conditions } }
  return {
    commands: [
      {
        request: {
          verb: 'update',
          group: '',
          resource: 'pods',
          subresource: 'status',
          namespace: namespace!,
          name,
          body,
        },
      },
    ],
  }
}
