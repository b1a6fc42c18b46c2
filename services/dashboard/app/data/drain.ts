// Draining a node, as kubectl decides it with --ignore-daemonsets: which pods stay, which go, which forbid it, and what budgets
// say.
import type { AnyObject } from './actions.ts'
import { type ApiFailure, askJson } from './api.ts'
import { selects } from './selectors.ts'
import { shellLine } from './shell.ts'

export interface DrainOptions {
  /** Pods that nobody makes anew go as well. */
  readonly force: boolean
  /** Pods whose scratch volumes would be lost go as well. */
  readonly deleteEmptyDir: boolean
}

export interface DrainedPod {
  readonly namespace: string
  readonly name: string
  /** `blocks`: nothing is drained unless the option is chosen. */
  readonly fate: 'goes' | 'stays' | 'blocks'
  readonly why: string
  /** The option without which it blocks. */
  readonly unless?: keyof DrainOptions
  /** Budgets that it is of, and how many of theirs may go now. */
  readonly budgets: readonly { readonly name: string; readonly allowed: number }[]
}

const flags: Readonly<Record<keyof DrainOptions, string>> = { force: '--force', deleteEmptyDir: '--delete-emptydir-data' }
export const flagOf = (option: keyof DrainOptions): string => flags[option]

export const drainCommand = (node: string, options: DrainOptions): string =>
  shellLine('kubectl', 'drain', node, '--ignore-daemonsets', ...(['force', 'deleteEmptyDir'] as const).filter((name) => options[name]).map(flagOf))

/** Reads the node's pods, and the budgets where they may be read. */
export async function drainPreview(node: string): Promise<(options: DrainOptions) => readonly DrainedPod[]> {
  const [{ items }, budgets] = await Promise.all([
    askJson(`/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`),
    askJson('/apis/policy/v1/poddisruptionbudgets').then((list) => list.items as AnyObject[], () => []),
  ])
  return (options) => items.map((pod: AnyObject) => drainedPod(pod, budgets, options))
}

export function drainedPod(pod: AnyObject, budgets: readonly AnyObject[], options: DrainOptions): DrainedPod {
  const { namespace, name, labels, annotations, ownerReferences = [] } = pod.metadata
  const own = budgets.filter(({ metadata, spec }) => metadata.namespace === namespace && spec.selector && selects(spec.selector, labels))
  const at = { namespace, name, budgets: own.map(({ metadata, status }) => ({ name: metadata.name, allowed: status?.disruptionsAllowed ?? 0 })) }
  const controller = ownerReferences.find((owner: AnyObject) => owner.controller)
  const isOver = /^(Succeeded|Failed)$/.test(pod.status?.phase ?? '')
  if (annotations?.['kubernetes.io/config.mirror'] !== undefined) return { ...at, fate: 'stays', why: 'a mirror of a static pod' }
  if (isOver) return { ...at, fate: 'goes', why: 'it has ended' }
  if (controller?.kind === 'DaemonSet') return { ...at, fate: 'stays', why: 'of a DaemonSet' }
  const hasScratch = pod.spec?.volumes?.some((volume: AnyObject) => volume.emptyDir)
  if (hasScratch && !options.deleteEmptyDir) return { ...at, fate: 'blocks', why: 'what is in its emptyDir would be lost', unless: 'deleteEmptyDir' }
  if (!controller && !options.force) return { ...at, fate: 'blocks', why: 'nobody would make it anew', unless: 'force' }
  return { ...at, fate: 'goes', why: controller ? '' : 'nobody makes it anew' }
}

const retryMs = 5_000
const roundsMax = 60

/**
 * Evicts pods; those that a budget keeps are asked for again, as kubectl does, for five minutes or until the signal aborts.
 * Whatever becomes of one is told; resolves with how many did not go.
 */
export async function evictAll(pods: readonly DrainedPod[], tell: (pod: DrainedPod, what: string) => void, signal: AbortSignal): Promise<number> {
  let left = pods
  let failed = 0
  for (let round = 0; round < roundsMax && left.length > 0 && !signal.aborted; round++) {
    if (round > 0) await new Promise((resolve) => setTimeout(resolve, retryMs))
    const kept: DrainedPod[] = []
    for (const pod of left) {
      if (signal.aborted) break
      try {
        await evict(pod, signal)
        tell(pod, 'evicted')
      } catch (error) {
        const { code, message } = error as ApiFailure
        if (code === 429) kept.push(pod)
        else if (code !== 404) failed++
        tell(pod, code === 404 ? 'gone already' : code === 429 ? `waits: ${message}` : message)
      }
    }
    left = kept
  }
  return left.length + failed
}

/** Budgets of disruption hold. */
const evict = ({ namespace, name }: DrainedPod, signal: AbortSignal): Promise<unknown> =>
  askJson(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
    method: 'POST',
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } },
    signal,
  })
