// An oracle for tests: a scheduler that is obviously right and slow. It reads plain API objects, goes through all nodes and
// all pods for every question, keeps nothing, and shares no code with the scheduler that it judges. Only what the generated
// clusters (generated-cluster.ts) contain is known here.
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { Namespace, Node, Pod, PodAffinityTerm, Service, TopologySpreadConstraint } from '@shiplog/api/generated/types/core-v1'
import type { ReplicaSet } from '@shiplog/api/generated/types/apps-v1'
import type { PodDisruptionBudget } from '@shiplog/api/generated/types/policy-v1'

export interface OracleCluster {
  readonly nodes: readonly Node[]
  /** With spec.nodeName. */
  readonly placed: readonly Pod[]
  /** Without, and nominated. */
  readonly nominated: readonly Pod[]
  readonly namespaces: readonly Namespace[]
  readonly services: readonly Service[]
  readonly replicaSets: readonly ReplicaSet[]
  readonly budgets: readonly PodDisruptionBudget[]
  /** How many volumes a node attaches; nodes without a limit are missing. Every claim has a volume of its own. */
  readonly volumeLimits: ReadonlyMap<string, number>
}

export interface OracleVerdict {
  /** Node → total score. */
  readonly totals: ReadonlyMap<string, number>
  readonly message: string | undefined
  /** Node → victims' names, sorted, of every node that is as good as the best to preempt on. */
  readonly preemption: ReadonlyMap<string, readonly string[]>
}

interface Verdict {
  readonly reasons: readonly string[]
  readonly resolvable: boolean
}

type Labels = Readonly<Record<string, string>>

const labelsOf = (object: { metadata: { labels?: Record<string, string> } }): Labels => object.metadata.labels ?? {}
const namespaceOf = (pod: Pod): string => pod.metadata.namespace!
const priorityOf = (pod: Pod): number => pod.spec.priority ?? 0

function matches(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const value = labels[key]
    if (operator === 'In' && (value === undefined || !values.includes(value))) return false
    if (operator === 'NotIn' && value !== undefined && values.includes(value)) return false
    if (operator === 'Exists' && value === undefined) return false
    if (operator === 'DoesNotExist' && value !== undefined) return false
  }
  return true
}

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  selector !== undefined &&
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0

// ── Room ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const milli = (text: string | undefined): number =>
  text === undefined ? 0 : text.endsWith('m') ? Number(text.slice(0, -1)) : Number(text) * 1000
const mebi = 1024 * 1024
const bytes = (text: string | undefined): number =>
  text === undefined
    ? 0
    : text.endsWith('Gi')
      ? Number(text.slice(0, -2)) * 1024 * mebi
      : text.endsWith('Mi')
        ? Number(text.slice(0, -2)) * mebi
        : Number(text)

const requestsOf = (pod: Pod) => {
  const requests = pod.spec.containers![0]!.resources?.requests ?? {}
  return {
    cpu: milli(requests['cpu']),
    memory: bytes(requests['memory']),
    assumedCpu: requests['cpu'] === undefined ? 100 : milli(requests['cpu']),
    assumedMemory: requests['memory'] === undefined ? 200 * mebi : bytes(requests['memory']),
  }
}

const roomOf = (node: Node) => {
  const { cpu, memory, pods } = node.status!.allocatable as Record<string, string>
  return { cpu: milli(cpu), memory: bytes(memory), pods: Number(pods) }
}

const sum = (pods: readonly Pod[], of: 'cpu' | 'memory' | 'assumedCpu' | 'assumedMemory'): number =>
  pods.reduce((total, pod) => total + requestsOf(pod)[of], 0)

// ── Filters ──────────────────────────────────────────────────────────────────────────────────────────────────────

function tolerated(pod: Pod, taint: { key: string; value?: string; effect: string }): boolean {
  return (pod.spec.tolerations ?? []).some(
    ({ key, operator = 'Equal', value = '', effect }) =>
      (effect === undefined || effect === taint.effect) &&
      (key === taint.key || (key === undefined && operator === 'Exists')) &&
      (operator === 'Exists' || value === (taint.value ?? '')),
  )
}

const repelling = (pod: Pod, node: Node): boolean =>
  (node.spec?.taints ?? []).some(
    (taint) => (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') && !tolerated(pod, taint),
  )

const inSelector = (pod: Pod, node: Node): boolean =>
  Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labelsOf(node)[key] === value)

/** The pods of the cluster as a question sees them: some may be thought away, others added. */
type Placed = readonly Pod[]

const onNode = (placed: Placed, node: Node): Placed => placed.filter((pod) => pod.spec.nodeName === node.metadata.name)
const nodeOf = (cluster: OracleCluster, pod: Pod): Node | undefined =>
  cluster.nodes.find((node) => node.metadata.name === pod.spec.nodeName)

function filter(cluster: OracleCluster, placed: Placed, pod: Pod, node: Node): Verdict | undefined {
  const no = (reason: string, resolvable: boolean): Verdict => ({ reasons: [reason], resolvable })
  if (node.spec?.unschedulable) return no('node(s) were unschedulable', false)
  if (repelling(pod, node)) return no('node(s) had untolerated taint(s)', false)
  if (!inSelector(pod, node)) return no("node(s) didn't match Pod's node affinity/selector", false)
  return fit(placed, pod, node) ?? attaches(cluster, placed, pod, node) ?? spreads(cluster, placed, pod, node) ?? affine(cluster, placed, pod, node)
}

function fit(placed: Placed, pod: Pod, node: Node): Verdict | undefined {
  const here = onNode(placed, node)
  const room = roomOf(node)
  const wanted = requestsOf(pod)
  const reasons: string[] = []
  let resolvable = true
  if (here.length + 1 > room.pods) reasons.push('Too many pods')
  for (const name of ['cpu', 'memory'] as const) {
    if (wanted[name] === 0 || wanted[name] <= room[name] - sum(here, name)) continue
    reasons.push(`Insufficient ${name}`)
    if (wanted[name] > room[name]) resolvable = false
  }
  return reasons.length > 0 ? { reasons, resolvable } : undefined
}

const volumesOf = (pod: Pod): readonly string[] =>
  (pod.spec.volumes ?? []).map(({ persistentVolumeClaim }) => `${namespaceOf(pod)}/${persistentVolumeClaim!.claimName}`)

function attaches(cluster: OracleCluster, placed: Placed, pod: Pod, node: Node): Verdict | undefined {
  const limit = cluster.volumeLimits.get(node.metadata.name) ?? Number.POSITIVE_INFINITY
  const present = new Set(onNode(placed, node).flatMap(volumesOf))
  const isNew = volumesOf(pod).some((one) => !present.has(one))
  const exceeds = isNew && new Set([...present, ...volumesOf(pod)]).size > limit
  return exceeds ? { reasons: ['node(s) exceed max volume count'], resolvable: true } : undefined
}

// ── Affinity ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whether a term of `holder` selects `other`. */
function selects(cluster: OracleCluster, holder: Pod, term: PodAffinityTerm, other: Pod, isHolderPlaced: boolean): boolean {
  const namespace = namespaceOf(other)
  const found = cluster.namespaces.find(({ metadata }) => metadata.name === namespace)
  const named = term.namespaces ?? []
  const isThere =
    (named.length === 0 && term.namespaceSelector === undefined && namespace === namespaceOf(holder)) ||
    named.includes(namespace) ||
    isEmpty(term.namespaceSelector) ||
    ((found !== undefined || isHolderPlaced) && matches(term.namespaceSelector, found ? labelsOf(found) : {}))
  return isThere && matches(term.labelSelector, labelsOf(other))
}

const requiredOf = (pod: Pod): readonly PodAffinityTerm[] =>
  pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
const antiOf = (pod: Pod): readonly PodAffinityTerm[] =>
  pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []

/** Whether two nodes share a value of the label. */
const together = (a: Node, b: Node, key: string): boolean =>
  labelsOf(a)[key] !== undefined && labelsOf(a)[key] === labelsOf(b)[key]

function affine(cluster: OracleCluster, placed: Placed, pod: Pod, node: Node): Verdict | undefined {
  const others = placed.flatMap((other) => {
    const at = nodeOf(cluster, other)
    return at ? [{ other, at }] : []
  })
  const required = requiredOf(pod)
  if (required.length + antiOf(pod).length === 0 && !isForbiddenSomewhere(cluster, pod)) return undefined
  if (required.length > 0) {
    const bySelf = (other: Pod): boolean => required.every((term) => selects(cluster, pod, term, other, false))
    const wanted = others.filter(({ other }) => bySelf(other))
    const hasKeys = required.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined)
    const isNear = required.every(({ topologyKey }) => wanted.some(({ at }) => together(at, node, topologyKey)))
    const areNone = !wanted.some(({ at }) => required.some(({ topologyKey }) => labelsOf(at)[topologyKey] !== undefined))
    if (!hasKeys || !(isNear || (areNone && bySelf(pod))))
      return { reasons: ["node(s) didn't match pod affinity rules"], resolvable: false }
  }
  for (const { other, at } of others)
    for (const term of antiOf(pod))
      if (selects(cluster, pod, term, other, false) && together(at, node, term.topologyKey))
        return { reasons: ["node(s) didn't match pod anti-affinity rules"], resolvable: true }
  for (const { other, at } of others)
    for (const term of antiOf(other))
      if (selects(cluster, other, term, pod, true) && together(at, node, term.topologyKey))
        return { reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"], resolvable: true }
  return undefined
}

/** Upstream leaves the whole question out when no placed pod's term speaks of the pod, also for nominated pods' terms. */
const isForbiddenSomewhere = (cluster: OracleCluster, pod: Pod): boolean =>
  cluster.placed.some((other) => {
    const at = nodeOf(cluster, other)
    const isThere = ({ topologyKey }: PodAffinityTerm): boolean => at !== undefined && labelsOf(at)[topologyKey] !== undefined
    return antiOf(other).some((term) => isThere(term) && selects(cluster, other, term, pod, true))
  })

function affinityScore(cluster: OracleCluster, pod: Pod, node: Node): number {
  let score = 0
  for (const other of cluster.placed) {
    const at = nodeOf(cluster, other)
    if (at === undefined) continue
    const weigh = (holder: Pod, to: Pod, isPlaced: boolean, sign: 1 | -1): void => {
      const affinity = sign > 0 ? holder.spec.affinity?.podAffinity : holder.spec.affinity?.podAntiAffinity
      for (const { podAffinityTerm: term, weight } of affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
        if (selects(cluster, holder, term, to, isPlaced) && together(at, node, term.topologyKey)) score += sign * weight
    }
    weigh(pod, other, false, 1)
    weigh(pod, other, false, -1)
    weigh(other, pod, true, 1)
    weigh(other, pod, true, -1)
    for (const term of requiredOf(other))
      if (selects(cluster, other, term, pod, true) && together(at, node, term.topologyKey)) score += 1
  }
  return score
}

// ── Spreading ────────────────────────────────────────────────────────────────────────────────────────────────────

interface Constraint extends TopologySpreadConstraint {
  /** Selectors that must all match. */
  readonly selectors: readonly LabelSelector[]
}

function constraintsOf(cluster: OracleCluster, pod: Pod, when: string): readonly Constraint[] {
  const own = pod.spec.topologySpreadConstraints ?? []
  if (own.length > 0) {
    return own
      .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when)
      .map((one) => {
        const keys = (one.matchLabelKeys ?? []).filter((key) => labelsOf(pod)[key] !== undefined)
        const matchLabels = Object.fromEntries(keys.map((key) => [key, labelsOf(pod)[key]!]))
        const selectors = one.labelSelector ? [one.labelSelector, { matchLabels }] : []
        return { ...one, selectors }
      })
  }
  if (when === 'DoNotSchedule') return []
  const selectors: LabelSelector[] = cluster.services
    .filter(({ metadata, spec }) => metadata.namespace === namespaceOf(pod) && matches({ matchLabels: spec!.selector! }, labelsOf(pod)))
    .map(({ spec }) => ({ matchLabels: spec!.selector! }))
  const owner = pod.metadata.ownerReferences?.[0]?.name
  const set = cluster.replicaSets.find(({ metadata }) => metadata.namespace === namespaceOf(pod) && metadata.name === owner)
  if (set) selectors.push(set.spec!.selector)
  if (selectors.length === 0) return []
  return [
    { topologyKey: 'kubernetes.io/hostname', maxSkew: 3, whenUnsatisfiable: 'ScheduleAnyway', selectors },
    { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5, whenUnsatisfiable: 'ScheduleAnyway', selectors },
  ]
}

const isSelected = ({ selectors }: Constraint, labels: Labels): boolean =>
  selectors.length > 0 && selectors.every((selector) => matches(selector, labels))

const hasKeys = (node: Node, constraints: readonly Constraint[]): boolean =>
  constraints.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined)

const includes = (constraint: Constraint, pod: Pod, node: Node): boolean =>
  (constraint.nodeAffinityPolicy === 'Ignore' || inSelector(pod, node)) &&
  (constraint.nodeTaintsPolicy !== 'Honor' || !repelling(pod, node))

const spreadCount = (constraint: Constraint, pod: Pod, pods: Placed): number =>
  constraint.selectors.every(isEmpty)
    ? 0
    : pods.filter(
        (other) =>
          namespaceOf(other) === namespaceOf(pod) &&
          other.metadata.deletionTimestamp === undefined &&
          isSelected(constraint, labelsOf(other)),
      ).length

function spreads(cluster: OracleCluster, placed: Placed, pod: Pod, node: Node): Verdict | undefined {
  const sentence = "node(s) didn't match pod topology spread constraints"
  const constraints = constraintsOf(cluster, pod, 'DoNotSchedule')
  for (const constraint of constraints) {
    const { topologyKey, maxSkew, minDomains = 1 } = constraint
    const value = labelsOf(node)[topologyKey]
    if (value === undefined) return { reasons: [`${sentence} (missing required label)`], resolvable: false }
    const counts = new Map<string, number>()
    for (const other of cluster.nodes) {
      if (!hasKeys(other, constraints) || !includes(constraint, pod, other)) continue
      const domain = labelsOf(other)[topologyKey]!
      counts.set(domain, (counts.get(domain) ?? 0) + spreadCount(constraint, pod, onNode(placed, other)))
    }
    const least = counts.size < minDomains ? 0 : Math.min(...counts.values())
    const itself = isSelected(constraint, labelsOf(pod)) ? 1 : 0
    if ((counts.get(value) ?? 0) + itself - least > maxSkew) return { reasons: [sentence], resolvable: true }
  }
  return undefined
}

/** Raw scores; undefined for nodes that are not judged. */
function spreadScores(cluster: OracleCluster, pod: Pod, feasible: readonly Node[]): (number | undefined)[] | undefined {
  const constraints = constraintsOf(cluster, pod, 'ScheduleAnyway')
  if (constraints.length === 0) return undefined
  const isOwn = (pod.spec.topologySpreadConstraints ?? []).length > 0
  const isJudged = (node: Node): boolean => !isOwn || hasKeys(node, constraints)
  const judged = feasible.filter(isJudged)
  return feasible.map((node) => {
    if (!isJudged(node)) return undefined
    let score = 0
    for (const constraint of constraints) {
      const { topologyKey, maxSkew } = constraint
      const value = labelsOf(node)[topologyKey]
      if (value === undefined) continue
      if (topologyKey === 'kubernetes.io/hostname') {
        score += spreadCount(constraint, pod, onNode(cluster.placed, node)) * Math.log(judged.length + 2) + maxSkew - 1
        continue
      }
      const sizes = new Set(judged.map((one) => labelsOf(one)[topologyKey] ?? ''))
      const near = cluster.nodes.filter(
        (one) => labelsOf(one)[topologyKey] === value && isJudged(one) && includes(constraint, pod, one),
      )
      const count = near.reduce((total, one) => total + spreadCount(constraint, pod, onNode(cluster.placed, one)), 0)
      score += count * Math.log(sizes.size + 2) + maxSkew - 1
    }
    return Math.round(score)
  })
}

// ── Scores ───────────────────────────────────────────────────────────────────────────────────────────────────────

function totalsOf(cluster: OracleCluster, pod: Pod, feasible: readonly Node[]): Map<string, number> {
  const untolerated = feasible.map(
    (node) => (node.spec?.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !tolerated(pod, taint)).length,
  )
  const affinity = feasible.map((node) => affinityScore(cluster, pod, node))
  const spread = spreadScores(cluster, pod, feasible)
  const judged = (spread ?? []).filter((score) => score !== undefined)
  const mostTaints = Math.max(...untolerated)
  const [least, most] = [Math.min(...affinity), Math.max(...affinity)]
  return new Map(
    feasible.map((node, index) => {
      const taints = mostTaints === 0 ? 100 : 100 - Math.trunc((100 * untolerated[index]!) / mostTaints)
      const near = most === least ? 0 : Math.trunc(100 * ((affinity[index]! - least) / (most - least)))
      const raw = spread?.[index]
      const highest = Math.max(0, ...judged)
      const even =
        raw === undefined ? 0 : highest === 0 ? 100 : Math.trunc((100 * (highest + Math.min(...judged) - raw)) / highest)
      return [node.metadata.name, 3 * taints + 2 * even + 2 * near + allocation(cluster, pod, node) + imagesThere(cluster, pod, node)]
    }),
  )
}

/** ImageLocality, for pods of one container. */
function imagesThere({ nodes }: OracleCluster, pod: Pod, node: Node): number {
  const sizeOn = (one: Node): number | undefined =>
    one.status!.images!.find(({ names }) => names!.includes(pod.spec.containers![0]!.image!))?.sizeBytes
  const size = sizeOn(node)
  if (size === undefined) return 0
  const counted = Math.trunc(size * (nodes.filter((one) => sizeOn(one) !== undefined).length / nodes.length))
  return Math.trunc((100 * (Math.min(Math.max(counted, 23 * mebi), 1000 * mebi) - 23 * mebi)) / (977 * mebi))
}

/** NodeResourcesFit (LeastAllocated) and NodeResourcesBalancedAllocation. */
function allocation(cluster: OracleCluster, pod: Pod, node: Node): number {
  const here = onNode(cluster.placed, node)
  const room = roomOf(node)
  const wanted = requestsOf(pod)
  const left = (used: number, all: number): number => (used > all ? 0 : Math.trunc(((all - used) * 100) / all))
  const least = Math.trunc(
    (left(sum(here, 'assumedCpu') + wanted.assumedCpu, room.cpu) +
      left(sum(here, 'assumedMemory') + wanted.assumedMemory, room.memory)) /
      2,
  )
  if (wanted.cpu === 0 && wanted.memory === 0) return least
  const balance = (added: { readonly cpu: number; readonly memory: number }): number => {
    const cpu = Math.min(1, (sum(here, 'cpu') + added.cpu) / room.cpu)
    const memory = Math.min(1, (sum(here, 'memory') + added.memory) / room.memory)
    return Math.trunc((1 - Math.abs((cpu - memory) / 2)) * 100)
  }
  return least + 50 + Math.trunc((50 + balance(wanted) - balance({ cpu: 0, memory: 0 })) / 2)
}

// ── Decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

/** The verdict with the pods that are nominated for the node, and without them. */
function verdictOf(cluster: OracleCluster, placed: Placed, pod: Pod, node: Node): Verdict | undefined {
  const coming = cluster.nominated
    .filter((one) => one.status!.nominatedNodeName === node.metadata.name && one.metadata.uid !== pod.metadata.uid)
    .filter((one) => priorityOf(one) >= priorityOf(pod))
    .map((one) => ({ ...one, spec: { ...one.spec, nodeName: node.metadata.name } }))
  const full = coming.length > 0 ? filter(cluster, [...placed, ...coming], pod, node) : undefined
  return full ?? filter(cluster, placed, pod, node)
}

const histogram = (reasons: readonly string[]): string =>
  [...Map.groupBy(reasons, (reason) => reason)].map(([reason, all]) => `${all.length} ${reason}`).sort().join(', ')

/** What the scheduler has to decide about a pod. */
export function consultOracle(cluster: OracleCluster, pod: Pod): OracleVerdict {
  const nominated = cluster.nodes.find(({ metadata }) => metadata.name === pod.status?.nominatedNodeName)
  if (nominated && verdictOf(cluster, cluster.placed, pod, nominated) === undefined)
    return { totals: totalsOf(cluster, pod, [nominated]), message: undefined, preemption: new Map() }
  const verdicts = cluster.nodes.map((node) => ({ node, verdict: verdictOf(cluster, cluster.placed, pod, node) }))
  const feasible = verdicts.filter(({ verdict }) => verdict === undefined).map(({ node }) => node)
  if (feasible.length > 0)
    return { totals: totalsOf(cluster, pod, feasible), message: undefined, preemption: new Map() }
  const all = `0/${cluster.nodes.length} nodes are available:`
  const why = `${all} ${histogram(verdicts.flatMap(({ verdict }) => verdict!.reasons))}.`
  const { preemption, note } = preempt(cluster, pod, verdicts)
  const message = note === undefined ? why : `${why} no new claims to deallocate, preemption: ${note}`
  return { totals: new Map(), message, preemption }
}

const none: ReadonlyMap<string, readonly string[]> = new Map()

function preempt(
  cluster: OracleCluster,
  pod: Pod,
  verdicts: readonly { readonly node: Node; readonly verdict: Verdict | undefined }[],
): { preemption: ReadonlyMap<string, readonly string[]>; note?: string } {
  if (pod.spec.preemptionPolicy === 'Never') return { preemption: none, note: 'not eligible due to preemptionPolicy=Never.' }
  const own = verdicts.find(({ node }) => node.metadata.name === pod.status?.nominatedNodeName)
  const isLeaving = (one: Pod): boolean =>
    priorityOf(one) < priorityOf(pod) &&
    one.metadata.deletionTimestamp !== undefined &&
    (one.status?.conditions ?? []).some(({ reason }) => reason === 'PreemptionByScheduler')
  if (own?.verdict?.resolvable && onNode(cluster.placed, own.node).some(isLeaving))
    return { preemption: none, note: 'not eligible due to a terminating pod on the nominated node.' }
  const reasons: string[] = []
  const found: Found[] = []
  for (const { node, verdict } of verdicts) {
    if (!verdict!.resolvable) reasons.push('Preemption is not helpful for scheduling')
    else {
      const result = victimsOn(cluster, pod, node)
      if ('reasons' in result) reasons.push(...result.reasons)
      else found.push(result)
    }
  }
  if (found.length === 0) return { preemption: none, note: `0/${cluster.nodes.length} nodes are available: ${histogram(reasons)}.` }
  const best = found.toSorted((a, b) => compare(keyOf(a), keyOf(b)))[0]!
  const asGood = found.filter((one) => compare(keyOf(one), keyOf(best)) === 0)
  return { preemption: new Map(asGood.map(({ node, victims }) => [node, victims.map((one) => one.metadata.name).sort()])) }
}

interface Found {
  readonly node: string
  readonly victims: readonly Pod[]
  readonly violations: number
}

const startOf = (pod: Pod): number => (pod.status?.startTime ? Date.parse(pod.status.startTime) : Number.MAX_SAFE_INTEGER)

/** The smaller the better, one number after the other. */
function keyOf({ victims, violations }: Found): readonly number[] {
  const highest = Math.max(...victims.map(priorityOf))
  const start = Math.min(...victims.filter((one) => priorityOf(one) === highest).map(startOf))
  return [violations, highest, victims.reduce((all, one) => all + priorityOf(one) + 2 ** 31, 0), victims.length, -start]
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - b[index]!
  return 0
}

function victimsOn(cluster: OracleCluster, pod: Pod, node: Node): Found | { readonly reasons: readonly string[] } {
  const lower = onNode(cluster.placed, node)
    .filter((one) => priorityOf(one) < priorityOf(pod))
    .toSorted((a, b) => priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b) || (a.metadata.uid < b.metadata.uid ? -1 : 1))
  if (lower.length === 0) return { reasons: ['No preemption victims found for incoming pod'] }
  let staying = cluster.placed.filter((one) => !lower.includes(one))
  const still = verdictOf(cluster, staying, pod, node)
  if (still) return { reasons: still.reasons }
  const left = cluster.budgets.map(({ status }) => status!.disruptionsAllowed)
  const isViolating = new Map(
    lower.map((one) => {
      let violates = false
      for (const [index, { metadata, spec }] of cluster.budgets.entries()) {
        if (metadata.namespace !== namespaceOf(one) || !matches(spec!.selector, labelsOf(one))) continue
        if (Object.keys(labelsOf(one)).length === 0 || isEmpty(spec!.selector)) continue
        left[index]!--
        if (left[index]! < 0) violates = true
      }
      return [one, violates] as const
    }),
  )
  const victims: Pod[] = []
  for (const violating of [true, false]) {
    for (const one of lower.filter((candidate) => isViolating.get(candidate) === violating)) {
      if (verdictOf(cluster, [...staying, one], pod, node) === undefined) staying = [...staying, one]
      else victims.push(one)
    }
  }
  const violations = victims.filter((one) => isViolating.get(one)).length
  return { node: node.metadata.name, victims, violations }
}
