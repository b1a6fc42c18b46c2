// Affinity between pods and topology spread: outcomes that upstream's documentation states, arguments, and what wakes a pod.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { createProfile, defaultConfiguration, type PluginChoice } from '../framework/configuration.ts'
import { explain } from '../framework/explain.ts'
import { schedule } from '../framework/schedule.ts'
import { Snapshot } from '../snapshot/snapshot.ts'
import { testNode, testPod } from '../testing/test-objects.ts'

const zone = 'topology.kubernetes.io/zone'

/** Nodes named with their zones. */
function cluster(zones: Record<string, string>): Snapshot {
  const snapshot = new Snapshot()
  for (const [name, value] of Object.entries(zones)) snapshot.setNode(testNode(name, { labels: value ? { [zone]: value } : {} }))
  return snapshot
}

const only = (...plugins: PluginChoice[]) =>
  createProfile({ ...defaultConfiguration, plugins: [{ name: 'PrioritySort' }, ...plugins] })
const profile = createProfile(defaultConfiguration)

const pod = (name: string, labels: Record<string, string>, spec: JsonObject = {}, metadata: JsonObject = {}) =>
  testPod(name, { metadata: { labels, ...metadata }, spec })
const web = { labelSelector: { matchLabels: { app: 'web' } } }
const required = (kind: 'podAffinity' | 'podAntiAffinity', topologyKey: string, more: JsonObject = {}): JsonObject => ({
  affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, ...web, ...more }] } },
})

const verdicts = (snapshot: Snapshot, object: ReturnType<typeof testPod>): Record<string, string> =>
  Object.fromEntries(
    explain(snapshot.readPod(object), snapshot, profile, 0).nodes.map(({ node, filters }) => [
      node,
      filters.flatMap(({ reasons }) => reasons).join() || 'passed',
    ]),
  )
const place = (snapshot: Snapshot, name: string, node: string, labels: Record<string, string>, spec: JsonObject = {}): void =>
  void snapshot.setPod(pod(name, labels, { ...spec, nodeName: node }))
const namespace = (snapshot: Snapshot, name: string, labels: JsonObject): void =>
  snapshot.objects.apply('namespaces', { metadata: { name, labels } } as unknown as KubeObject, false)

describe('InterPodAffinity', () => {
  test('the first of a group that wants to be together may go anywhere, the next only to its zone', () => {
    const snapshot = cluster({ a: 'z1', b: 'z1', c: 'z2', d: '' })
    const together = required('podAffinity', zone)
    const missing = "node(s) didn't match pod affinity rules"
    expect(verdicts(snapshot, pod('p', { app: 'web' }, together))).toEqual({ a: 'passed', b: 'passed', c: 'passed', d: missing })
    expect(verdicts(snapshot, pod('p', { app: 'db' }, together))).toMatchObject({ a: missing, c: missing })
    place(snapshot, 'first', 'a', { app: 'web' })
    expect(verdicts(snapshot, pod('p', { app: 'web' }, together))).toEqual({ a: 'passed', b: 'passed', c: missing, d: missing })
  })

  test('a placed pod that wants others away speaks for itself', () => {
    const snapshot = cluster({ a: 'z1', b: 'z2' })
    place(snapshot, 'lonely', 'a', { app: 'db' }, required('podAntiAffinity', zone))
    expect(verdicts(snapshot, pod('p', { app: 'web' }))).toEqual({
      a: "node(s) didn't satisfy existing pods anti-affinity rules",
      b: 'passed',
    })
    expect(verdicts(snapshot, pod('p', { app: 'other' }))).toMatchObject({ a: 'passed' })
  })

  test('namespaces are named, or picked by labels that may change', () => {
    const snapshot = cluster({ a: 'z1', b: 'z2' })
    const away = required('podAntiAffinity', zone, { namespaceSelector: { matchLabels: { team: 'red' } } })
    snapshot.setPod(pod('theirs', { app: 'web' }, { nodeName: 'a' }, { namespace: 'east' }))
    namespace(snapshot, 'east', { team: 'blue' })
    expect(verdicts(snapshot, pod('p', {}, away))).toMatchObject({ a: 'passed' })
    namespace(snapshot, 'east', { team: 'red' })
    expect(verdicts(snapshot, pod('p', {}, away))).toMatchObject({ a: "node(s) didn't match pod anti-affinity rules" })
    expect(verdicts(snapshot, pod('p', {}, required('podAntiAffinity', zone)))).toMatchObject({ a: 'passed' })
  })

  test('hardPodAffinityWeight draws pods to those that require them, and preferences of others can be ignored', () => {
    const snapshot = cluster({ a: 'z1', b: 'z2' })
    place(snapshot, 'web-0', 'a', { app: 'web' })
    place(snapshot, 'needy', 'a', {}, required('podAffinity', zone))
    const scores = (args: JsonObject): number[] => {
      const own = only({ name: 'InterPodAffinity', weight: 1, args })
      return explain(snapshot.readPod(pod('p', { app: 'web' })), snapshot, own, 0).nodes.map(({ total }) => total!)
    }
    expect(scores({})).toEqual([100, 0])
    expect(scores({ hardPodAffinityWeight: 0 })).toEqual([0, 0])
    expect(scores({ ignorePreferredTermsOfExistingPods: true })).toEqual([0, 0])
  })
})

describe('PodTopologySpread', () => {
  const spread = (more: JsonObject): JsonObject => ({
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule', ...web, ...more }],
  })
  const mismatch = "node(s) didn't match pod topology spread constraints"

  test('as in the documentation: 2 and 1 pods in two zones, the next goes to the second', () => {
    const snapshot = cluster({ node1: 'A', node2: 'A', node3: 'B', node4: 'B' })
    place(snapshot, 'p1', 'node1', { app: 'web' })
    place(snapshot, 'p2', 'node2', { app: 'web' })
    place(snapshot, 'p3', 'node3', { app: 'web' })
    expect(verdicts(snapshot, pod('mypod', { app: 'web' }, spread({})))).toEqual({
      node1: mismatch,
      node2: mismatch,
      node3: 'passed',
      node4: 'passed',
    })
    expect(schedule(snapshot.readPod(pod('mypod', { app: 'web' }, spread({ maxSkew: 2 }))), snapshot, profile, 0).feasible).toBe(4)
  })

  test('as in the documentation: with minDomains 5 and three zones of 2 pods, none will do', () => {
    const snapshot = cluster({ a: 'z1', b: 'z2', c: 'z3' })
    for (const node of ['a', 'b', 'c']) for (const which of [1, 2]) place(snapshot, `${node}${which}`, node, { app: 'web' })
    const constraint = { maxSkew: 2, minDomains: 5 }
    expect(verdicts(snapshot, pod('p', { app: 'web' }, spread(constraint)))).toEqual({ a: mismatch, b: mismatch, c: mismatch })
    expect(verdicts(snapshot, pod('p', { app: 'web' }, spread({ ...constraint, minDomains: 3 })))).toMatchObject({ a: 'passed' })
  })

  test('a list of default constraints is for pods that bring none', () => {
    const snapshot = cluster({ a: 'z1', b: 'z2' })
    snapshot.objects.apply(
      'services',
      { metadata: { name: 's', namespace: 'default' }, spec: { selector: { app: 'web' } } } as unknown as KubeObject,
      false,
    )
    place(snapshot, 'p1', 'a', { app: 'web' })
    const defaultConstraints = [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule' }]
    const own = only({ name: 'PodTopologySpread', args: { defaultingType: 'List', defaultConstraints } })
    const decide = (labels: Record<string, string>) => schedule(snapshot.readPod(pod('p', labels)), snapshot, own, 0)
    expect(decide({ app: 'web' }).feasible).toBe(1)
    expect(decide({ app: 'db' }).feasible).toBe(2)
  })
})

test('queueing hints: what may help a pod wakes it, and what cannot does not', () => {
  const snapshot = cluster({ a: 'z1' })
  const info = (labels: Record<string, string>, spec: JsonObject = {}) => snapshot.readPod(pod('x', labels, spec))
  const asks = (plugin: string, spec: JsonObject, type: 'PodAdded' | 'PodFreed', labels: Record<string, string>): boolean =>
    profile.byName.get(plugin)!.wakes!(info({ app: 'web' }, spec), { type, pod: info(labels) })
  const [near, away] = [required('podAffinity', zone), required('podAntiAffinity', zone)]
  expect(asks('InterPodAffinity', near, 'PodAdded', { app: 'web' })).toBe(true)
  expect(asks('InterPodAffinity', near, 'PodAdded', { app: 'db' })).toBe(false)
  expect(asks('InterPodAffinity', away, 'PodFreed', { app: 'web' })).toBe(true)
  expect(asks('InterPodAffinity', away, 'PodFreed', { app: 'db' })).toBe(false)
  const even = { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule', ...web }] }
  expect(asks('PodTopologySpread', even, 'PodAdded', { app: 'web' })).toBe(true)
  expect(asks('PodTopologySpread', even, 'PodAdded', { app: 'db' })).toBe(false)
})
