// Why a pod went where it went, or why it waits, computed again from the log at the basis of its last decision: every
// node, every plugin, every score; and for what waits, what is missing and how much.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { objectSubject } from '@shiplog/events/subjects'
import { contentOf, isDamaged, ownerOfDamage, type PastLog } from '@shiplog/feed/history/past-records'
import type { DamagedRecord } from '@shiplog/feed/record-codec'
import type { Profile } from '../framework/configuration.ts'
import type { Profiles } from '../framework/profiles.ts'
import { explainInSteps, type Explanation, type NodeExplanation } from '../framework/explain.ts'
import type { NodeInfo } from '../snapshot/node-info.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import { amountOf } from '../snapshot/resources.ts'
import { type Attempt, type AttemptLog, readAttempts } from './attempt-log.ts'
import { createWorld, walkAttempts, worldFilters } from './recorded-attempts.ts'
import { profileFor, type RecordedProfiles, recordedProfiles } from './recorded-profiles.ts'

/** What one node lacks of one resource. */
export interface Shortage {
  readonly resource: string
  readonly wanted: number
  readonly free: number
  readonly allocatable: number
}

export interface ExplainedNode extends NodeExplanation {
  readonly shortages: readonly Shortage[]
  readonly taints: readonly string[]
}

export interface ExplainedDecision {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string }
  readonly basis: number
  /** Undefined when nothing was recorded: then this is what would be decided. */
  readonly recordedAt: number | undefined
  /** Whether the decision computed again is the recorded one; undefined when none was recorded. */
  readonly asRecorded: boolean | undefined
  readonly node: string | undefined
  readonly message: string | undefined
  /** Where room is made for it, and whose. */
  readonly preemption: { readonly node: string; readonly victims: readonly string[] } | undefined
  readonly nodes: readonly ExplainedNode[]
  /** Hash of the configuration that it was computed with; see configurationHash. */
  readonly configuration: string
  readonly weights: Readonly<Record<string, number>>
  readonly required: JsonObject | undefined
  /** Where the log is damaged among what was read: decisions may be missing there. */
  readonly damages: readonly DamagedRecord[]
}

export interface ExplainOptions {
  /** Other profiles than those that the log shows the schedulers to have had. */
  readonly profiles?: Profiles | undefined
  /** Waited for between steps, so that whoever shares the thread has a turn. */
  readonly pause?: () => Promise<void>
}

/** The last decision about the pod that the log tells of up to a sequence, or what would be decided there. */
export async function explainPod(
  source: PastLog,
  which: { readonly namespace: string; readonly name: string },
  at: number,
  { profiles, pause = () => Promise.resolve() }: ExplainOptions = {},
): Promise<ExplainedDecision> {
  const key = `${which.namespace}/${which.name}`
  // Decisions that this one assumed may have been recorded after it: all are read.
  const log = await readAttempts(source)
  const attempt = log.attempts.findLast(({ input, sequence }) => input.pod === key && sequence <= at)
  const current = await lastVersion(source, which, at)
  if (current === undefined && attempt === undefined)
    throw new Error(`up to ${at} the log knows no pod ${which.name} in ${which.namespace}`)
  const job: ExplainJob = { source, log, recorded: recordedProfiles(log), profiles, pause }
  if (attempt !== undefined && (await isAbout(source, attempt, current, which))) return await explainAttempt(job, attempt)
  const nodeName = current?.spec?.nodeName
  if (nodeName)
    throw new Error(`no scheduler decided about ${key}: it was created with or bound to ${nodeName} by hand`)
  return await explainWaiting(job, key, at)
}

interface ExplainJob {
  readonly source: PastLog
  readonly log: AttemptLog
  readonly recorded: RecordedProfiles
  readonly profiles: Profiles | undefined
  readonly pause: () => Promise<void>
}

async function explainAttempt(job: ExplainJob, attempt: Attempt): Promise<ExplainedDecision> {
  const { source, log, recorded, profiles } = job
  let explained: ExplainedDecision | undefined
  let why = 'the log does not hold its state any more'
  // Everything before it is needed: the decisions that it assumed are among them.
  const upTo = { ...log, attempts: log.attempts.slice(0, log.attempts.indexOf(attempt) + 1) }
  await walkAttempts(source, upTo, async (one, state) => {
    if (one !== attempt) return true
    const own = profiles === undefined ? recorded.of(attempt.input) : profileOf(profiles, attempt.input.scheduler)
    const profile = 'unknown' in own ? own : profileFor(attempt.input, own)
    if ('unknown' in state) why = state.unknown
    else if ('unknown' in profile) why = profile.unknown
    else {
      const { pod, object, snapshot } = state
      const steps = explainInSteps(pod, snapshot, profile, attempt.input.seed, attempt.input.ties)
      const explanation = await inTurns(steps, job.pause)
      const nodeNamed = (name: string): NodeInfo => snapshot.node(name)!
      explained = describe({ damages: log.damages, explanation, pod, nodeNamed, profile, object, attempt })
    }
    return false
  })
  if (explained === undefined) throw new Error(`the decision about ${attempt.input.pod} cannot be computed again: ${why}`)
  return explained
}

/** What would be decided about a pod of which no decision is recorded. */
async function explainWaiting(job: ExplainJob, key: string, at: number): Promise<ExplainedDecision> {
  const { source, log, recorded, profiles } = job
  const world = createWorld(source.codec, new Map())
  for await (const records of source.read({ to: at, subjects: worldFilters })) {
    for (const record of records) world.apply(record)
    await job.pause()
  }
  const [damage] = world.broken.values()
  if (damage)
    throw new Error(
      `what would be decided is not known: the record at sequence ${damage.sequence}, of ${ownerOfDamage(damage)}, is damaged`,
    )
  const object = world.waiting.get(key)
  if (object === undefined) throw new Error(`${key} is not waiting for a node, and no decision about it is recorded`)
  const { snapshot } = world
  const pod = snapshot.readPod(object)
  const { schedulerName } = pod
  const profile = profiles === undefined ? recorded.lastOf(schedulerName) : profileOf(profiles, schedulerName)
  const explanation = await inTurns(explainInSteps(pod, snapshot, profile, profile.configuration.seed), job.pause)
  const nodeNamed = (name: string): NodeInfo => snapshot.node(name)!
  return describe({ damages: log.damages, explanation, pod, nodeNamed, profile, object, attempt: undefined, at })
}

async function inTurns<Result>(steps: Generator<undefined, Result>, pause: () => Promise<void>): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    await pause()
  }
}

/** A scheduler whose name the configuration does not know is explained by its first profile. */
const profileOf = (profiles: Profiles, schedulerName: string): Profile => profiles.of(schedulerName) ?? profiles.first

async function lastVersion(
  source: PastLog,
  which: { readonly namespace: string; readonly name: string },
  at: number,
): Promise<Pod | undefined> {
  const subject = objectSubject({ group: '', resource: 'pods', ...which })
  let object: Pod | undefined
  for await (const records of source.read({ to: at, subjects: [subject] }))
    for (const record of records) {
      if (isDamaged(record)) object = undefined
      else object = (contentOf(source.codec, record) as Pod | undefined) ?? object
    }
  return object
}

/** Whether the attempt is about the newest pod of that name, not about one that was deleted before. */
async function isAbout(
  source: PastLog,
  attempt: Attempt,
  current: Pod | undefined,
  which: { readonly namespace: string; readonly name: string },
): Promise<boolean> {
  if (current === undefined) return true
  const then = await lastVersion(source, which, attempt.input.basis)
  return then?.metadata?.uid === current.metadata?.uid
}

interface Told {
  readonly damages: readonly DamagedRecord[]
  readonly explanation: Explanation
  readonly pod: PodInfo
  readonly nodeNamed: (name: string) => NodeInfo
  readonly profile: Profile
  readonly object: Pod
  readonly attempt: Attempt | undefined
  readonly at?: number
}

function describe({ damages, explanation, pod, nodeNamed, profile, object, attempt, at = 0 }: Told): ExplainedDecision {
  const { decision } = explanation
  const { nodeSelector, affinity = {}, topologySpreadConstraints } = object.spec ?? {}
  const nodeAffinity = affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const { podAffinity, podAntiAffinity } = affinity
  const required = present({ nodeSelector, nodeAffinity, podAffinity, podAntiAffinity, topologySpreadConstraints })
  return {
    pod: { namespace: pod.namespace, name: pod.name, uid: pod.uid },
    basis: attempt?.input.basis ?? at,
    recordedAt: attempt?.sequence,
    asRecorded:
      attempt &&
      decision.node === attempt.recorded.node &&
      decision.failure?.message === attempt.recorded.message &&
      JSON.stringify(decision.top) === JSON.stringify(attempt.recorded.top),
    node: decision.node,
    message: decision.failure?.message,
    preemption: decision.failure?.preemption && {
      node: decision.failure.preemption.node,
      victims: decision.failure.preemption.victims.map((one) => `${one.namespace}/${one.name}`),
    },
    nodes: explanation.nodes.map((node) => ({
      ...node,
      shortages: shortagesOf(pod, nodeNamed(node.node)),
      taints: nodeNamed(node.node).taints.map(
        ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
      ),
    })),
    configuration: profile.hash,
    weights: Object.fromEntries(
      profile.configuration.plugins.flatMap(({ name, weight }) => (weight === undefined ? [] : [[name, weight]])),
    ),
    required: Object.keys(required).length > 0 ? required : undefined,
    damages,
  }
}

/** Those of the fields that are there. */
const present = (fields: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

function shortagesOf(pod: PodInfo, node: NodeInfo): Shortage[] {
  const shortages: Shortage[] = []
  if (node.pods.size + 1 > node.podsMax) {
    shortages.push({ resource: 'pods', wanted: 1, free: node.podsMax - node.pods.size, allocatable: node.podsMax })
  }
  const { requests } = pod.shape
  for (const resource of ['cpu', 'memory', 'ephemeral-storage', ...(requests.scalars?.keys() ?? [])]) {
    const wanted = amountOf(requests, resource)
    const allocatable = node.offers(resource)
    const free = allocatable - node.requested(resource)
    if (wanted > 0 && wanted > free) shortages.push({ resource, wanted, free, allocatable })
  }
  return shortages
}
