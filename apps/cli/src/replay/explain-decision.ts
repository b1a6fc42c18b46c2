// `shiplog explain pod/NAME`: why the pod went where it went, or why it waits, computed again from the log at the basis
// of its last decision: every node, every plugin, every score; and for what waits, what is missing and how much.
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { defaultConfiguration, type Profile } from '@shiplog/scheduling/framework/configuration'
import { createProfiles, type Profiles } from '@shiplog/scheduling/framework/profiles'
import type { NodeInfo } from '@shiplog/scheduling/snapshot/node-info'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'
import { amountOf } from '@shiplog/scheduling/snapshot/resources'
import { explain, type Explanation, type NodeExplanation } from '@shiplog/scheduling/framework/explain'
import { contentOf, isDamaged, ownerOf, say, warnOfDamage } from '../history/history-records.ts'
import { type HistorySource, type SourceOptions, withHistory } from '../history/history-source.ts'
import { sequenceOf, targetOf } from '../history/history-target.ts'
import { type Attempt, createWorld, readAttempts, walkAttempts, worldFilters } from './replay-attempts.ts'
import { profilesFromFile } from './replay-configuration.ts'

export interface ExplainOptions extends SourceOptions {
  readonly namespace?: string | undefined
  /** The last decision up to this moment. */
  readonly at?: string | undefined
  readonly config?: string | undefined
  readonly output: 'text' | 'json'
}

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
  readonly weights: Readonly<Record<string, number>>
  readonly required: JsonObject | undefined
}

/** Gives the exit code. */
export async function explainDecision(text: string, options: ExplainOptions): Promise<number> {
  const target = targetOf(builtInCatalogue(), text, options.namespace)
  if (target.resource.resource !== 'pods' || target.name === undefined)
    throw new Error('only decisions about pods can be explained: pod/NAME, please')
  const profiles = options.config === undefined ? createProfiles([defaultConfiguration]) : profilesFromFile(options.config)
  const explained = await withHistory(options, async (source) => {
    const at = options.at === undefined ? (await source.ends()).newest : await sequenceOf(source, options.at)
    return await explainPod(source, { namespace: target.namespace, name: target.name! }, at, profiles)
  })
  if (options.output === 'json') say(JSON.stringify(explained))
  else print(explained)
  return 0
}

/** The last decision about the pod that the log tells of up to a sequence, or what would be decided there. */
export async function explainPod(
  source: HistorySource,
  which: { readonly namespace: string; readonly name: string },
  at: number,
  profiles: Profiles,
): Promise<ExplainedDecision> {
  const key = `${which.namespace}/${which.name}`
  // Decisions that this one assumed may have been recorded after it: all are read.
  const log = await readAttempts(source)
  warnOfDamage(log.damages)
  const attempt = log.attempts.findLast(({ input, sequence }) => input.pod === key && sequence <= at)
  const current = await lastVersion(source, which, at)
  if (current === undefined && attempt === undefined)
    throw new Error(`up to ${at} the log knows no pod ${which.name} in ${which.namespace}`)

  if (attempt !== undefined && (await isAbout(source, attempt, current, which))) {
    let explained: ExplainedDecision | undefined
    let why = 'the log does not hold its state any more'
    // Everything before it is needed: the decisions that it assumed are among them.
    const upTo = { ...log, attempts: log.attempts.slice(0, log.attempts.indexOf(attempt) + 1) }
    await walkAttempts(source, upTo, (one, state) => {
      if (one !== attempt) return true
      if ('unknown' in state) why = state.unknown
      else {
        const profile = profileOf(profiles, state.pod)
        const explanation = explain(state.pod, state.snapshot, profile, attempt.input.seed, attempt.input.ties)
        explained = describe(
          explanation,
          state.pod,
          (name) => state.snapshot.node(name),
          profile,
          state.object,
          attempt,
        )
      }
      return false
    })
    if (explained === undefined) throw new Error(`the decision about ${key} cannot be computed again: ${why}`)
    return explained
  }

  const nodeName = current?.['spec']?.nodeName
  if (nodeName)
    throw new Error(`no scheduler decided about ${key}: it was created with or bound to ${nodeName} by hand`)
  const world = createWorld(source.codec, new Map())
  for await (const records of source.read({ to: at, subjects: worldFilters }))
    for (const record of records) world.apply(record)
  const [damage] = world.broken.values()
  if (damage)
    throw new Error(
      `what would be decided is not known: the record at sequence ${damage.sequence}, of ${ownerOf(builtInCatalogue(), damage)}, is damaged`,
    )
  const object = world.waiting.get(key)
  if (object === undefined) throw new Error(`${key} is not waiting for a node, and no decision about it is recorded`)
  const pod = world.snapshot.readPod(object as Pod)
  const profile = profileOf(profiles, pod)
  const explanation = explain(pod, world.snapshot, profile, profile.configuration.seed)
  return describe(explanation, pod, (name) => world.snapshot.node(name), profile, object, undefined, at)
}

/** A scheduler whose name the file does not know is explained by its first profile. */
const profileOf = (profiles: Profiles, { schedulerName }: PodInfo): Profile => profiles.of(schedulerName) ?? profiles.first

async function lastVersion(
  source: HistorySource,
  which: { readonly namespace: string; readonly name: string },
  at: number,
): Promise<JsonObject | undefined> {
  const { subject } = targetOf(builtInCatalogue(), `pod/${which.name}`, which.namespace)
  let object: JsonObject | undefined
  for await (const records of source.read({ to: at, subjects: [subject] }))
    for (const record of records) {
      if (isDamaged(record)) object = undefined
      else object = contentOf(source.codec, record) ?? object
    }
  return object
}

/** Whether the attempt is about the newest pod of that name, not about one that was deleted before. */
async function isAbout(
  source: HistorySource,
  attempt: Attempt,
  current: JsonObject | undefined,
  which: { readonly namespace: string; readonly name: string },
): Promise<boolean> {
  if (current === undefined) return true
  const then = await lastVersion(source, which, attempt.input.basis)
  return then?.['metadata'].uid === current['metadata'].uid
}

function describe(
  explanation: Explanation,
  pod: PodInfo,
  nodeNamed: (name: string) => NodeInfo | undefined,
  profile: Profile,
  object: JsonObject,
  attempt: Attempt | undefined,
  at = 0,
): ExplainedDecision {
  const { decision } = explanation
  const spec = (object['spec'] ?? {}) as JsonObject
  const affinity = spec['affinity']?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const required = {
    ...(spec['nodeSelector'] ? { nodeSelector: spec['nodeSelector'] } : {}),
    ...(affinity ? { nodeAffinity: affinity } : {}),
    ...pick(spec['affinity'] ?? {}, ['podAffinity', 'podAntiAffinity']),
    ...pick(spec, ['topologySpreadConstraints']),
  }
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
      shortages: shortagesOf(pod, nodeNamed(node.node)!),
      taints: nodeNamed(node.node)!.taints.map(
        ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
      ),
    })),
    weights: Object.fromEntries(
      profile.configuration.plugins.flatMap(({ name, weight }) => (weight === undefined ? [] : [[name, weight]])),
    ),
    required: Object.keys(required).length > 0 ? required : undefined,
  }
}

/** Those of the fields that are there. */
const pick = (object: JsonObject, names: readonly string[]): JsonObject =>
  Object.fromEntries(names.flatMap((name) => (object[name] === undefined ? [] : [[name, object[name]]])))

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

const units = ['', 'Ki', 'Mi', 'Gi', 'Ti'] as const

/** `1500m`, `512Mi`: as people write them. */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return amount % 1_000 === 0 ? String(amount / 1_000) : `${amount}m`
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return String(amount)
  let value = amount
  let unit = 0
  while (value !== 0 && value % 1_024 === 0 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }
  return `${value}${units[unit]}`
}

function print(explained: ExplainedDecision): void {
  const { pod, basis, recordedAt, asRecorded, node, message, preemption, nodes, weights, required } = explained
  say(`pod/${pod.name} in ${pod.namespace}, uid ${pod.uid}`)
  say(
    recordedAt === undefined
      ? `no decision is recorded; this is what would be decided at ${basis}`
      : `decided at ${basis}, recorded at ${recordedAt}; ${asRecorded ? 'computed again, it is the same' : 'COMPUTED AGAIN, IT IS ANOTHER ONE'}`,
  )
  const passed = nodes.filter(({ total }) => total !== undefined)
  say(
    node === undefined
      ? `fits nowhere: ${message}`
      : `goes to ${node}: ${passed.length} of ${nodes.length} nodes passed the filters`,
  )
  if (preemption) say(`preempts ${preemption.victims.join(', ')} on ${preemption.node}`)
  if (required) say(`requires ${JSON.stringify(required)}`)
  passed.sort((a, b) => (a.node === node ? -1 : b.node === node ? 1 : b.total! - a.total!))
  for (const one of passed) {
    say(`\n${one.node === node ? '*' : ' '} ${one.node}  total ${one.total}`)
    say(`    passed: ${one.filters.map(({ plugin }) => plugin).join(', ') || '(no filter has anything to say)'}`)
    for (const { plugin, raw, normalized, weighted } of one.scores)
      say(`    ${plugin.padEnd(32)} raw ${raw}, normalized ${normalized}, × ${weights[plugin] ?? 1} = ${weighted}`)
  }
  for (const one of nodes.filter(({ total }) => total === undefined)) {
    say(`\n- ${one.node}`)
    for (const { plugin, reasons } of one.filters) {
      say(`    ${plugin}: ${reasons.length === 0 ? 'passed' : reasons.join(', ')}`)
      if (plugin === 'TaintToleration' && reasons.length > 0) say(`        taints: ${one.taints.join(', ')}`)
      if (plugin !== 'NodeResourcesFit') continue
      for (const { resource, wanted, free, allocatable } of one.shortages) {
        const text = (amount: number): string => amountText(resource, amount)
        say(
          `        ${resource}: wants ${text(wanted)}, ${text(Math.max(0, free))} of ${text(allocatable)} free, ${text(wanted - free)} missing`,
        )
      }
    }
  }
}
