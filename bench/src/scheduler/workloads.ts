// The workloads of kube-scheduler's own benchmark (test/integration/scheduler_perf of Kubernetes 1.36): nodes, pods that are there
// before the clock starts, pods that are measured, and the pods per second that upstream's CI asks for.
import type { Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'

export interface Workload {
  /** Upstream's name. */
  readonly name: string
  readonly nodes: number
  readonly initial: number
  readonly measured: number
  /** Pods per second, end to end. */
  readonly threshold: number
  node(number: number): Node
  initialPod(number: number): Pod
  measuredPod(number: number): Pod
  /** Namespaces, Services: what decisions look at besides, by resource. */
  readonly objects?: readonly (readonly [resource: string, object: KubeObject])[]
}

const hostname = 'kubernetes.io/hostname'
const zone = 'topology.kubernetes.io/zone'
const zones = ['moon-1', 'moon-2', 'moon-3']
const own = ['sched-1', 'sched-0']

const plainNode = (number: number): Node => testNode(`node-${number}`)
const zoneNode = (number: number): Node => testNode(`node-${number}`, { labels: { [zone]: zones[number % zones.length]! } })
const oneZoneNode = (number: number): Node => testNode(`node-${number}`, { labels: { [zone]: 'zone1' } })

interface Template {
  readonly namespace?: string
  readonly labels?: Record<string, string>
  readonly affinity?: object
  readonly spread?: TopologySpreadConstraint
  readonly requests?: JsonObject
}

const podOf =
  (prefix: string, { namespace = 'default', labels, affinity, spread, requests }: Template = {}) =>
  (number: number): Pod =>
    testPod(`${prefix}-${number}`, {
      metadata: { namespace, labels: labels ?? {} },
      ...(requests ? { requests } : {}),
      spec: {
        ...(affinity ? { affinity: affinity as JsonObject } : {}),
        ...(spread ? { topologySpreadConstraints: [spread] as unknown as JsonObject[] } : {}),
      },
    })

const both = (template: Template, initial: Template = template) => ({
  initialPod: podOf('init', { namespace: 'sched-0', ...initial }),
  measuredPod: podOf('pod', { namespace: 'sched-1', ...template }),
})

const term = (color: string, topologyKey: string, where: Partial<PodAffinityTerm> = { namespaces: own }): PodAffinityTerm => ({
  labelSelector: { matchLabels: { color } },
  topologyKey,
  ...where,
})

const required = (kind: 'podAffinity' | 'podAntiAffinity', color: string, topologyKey: string, where?: Partial<PodAffinityTerm>) => ({
  labels: { color },
  affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [term(color, topologyKey, where)] } },
})

const preferred = (kind: 'podAffinity' | 'podAntiAffinity', color: string, where?: Partial<PodAffinityTerm>) => ({
  labels: { color },
  affinity: {
    [kind]: {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term(color, hostname, where) }],
    },
  },
})

const spreading = (whenUnsatisfiable: TopologySpreadConstraint['whenUnsatisfiable']): Template => ({
  labels: { color: 'blue' },
  spread: { maxSkew: 5, topologyKey: zone, whenUnsatisfiable, labelSelector: { matchLabels: { color: 'blue' } } },
})

const inZones: Template = {
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: zone, operator: 'In', values: ['zone1', 'zone2'] }] }],
      },
    },
  },
}

const object = (kind: string, metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }, spec: object = {}): KubeObject =>
  ({ apiVersion: 'v1', kind, metadata: { uid: `uid-${kind}`, creationTimestamp: '2026-01-01T00:00:00Z', ...metadata }, spec })

const teamNamespaces = [...own, ...Array.from({ length: 50 }, (_, number) => `init-ns-${number}`)].map(
  (name) => ['namespaces', object('Namespace', { name, labels: { team: 'devops' } })] as const,
)
const ofTeam: Partial<PodAffinityTerm> = { namespaceSelector: { matchLabels: { team: 'devops' } } }

/** Initial pods in as many namespaces of the team. */
const acrossNamespaces = (count: number, template: Template) => ({
  initialPod: (number: number) => podOf('init', { ...template, namespace: `init-ns-${number % count}` })(number),
  measuredPod: podOf('pod', { ...template, namespace: 'sched-1' }),
  objects: teamNamespaces,
})

const basic = { nodes: 5_000, initial: 5_000, measured: 5_000 }

export const workloads: readonly Workload[] = [
  { ...basic, name: 'SchedulingBasic', initial: 1_000, measured: 10_000, threshold: 680, node: plainNode, ...both({}) },
  { ...basic, name: 'SchedulingPodAntiAffinity', initial: 1_000, measured: 2_000, threshold: 60, node: plainNode, ...both(required('podAntiAffinity', 'green', hostname)) },
  { ...basic, name: 'SchedulingPodAffinity', threshold: 35, node: oneZoneNode, ...both(required('podAffinity', 'blue', zone)) },
  { ...basic, name: 'SchedulingPreferredPodAffinity', threshold: 90, node: plainNode, ...both(preferred('podAffinity', 'red')) },
  { ...basic, name: 'SchedulingPreferredPodAntiAffinity', threshold: 90, node: plainNode, ...both(preferred('podAntiAffinity', 'yellow')) },
  { ...basic, name: 'SchedulingNodeAffinity', measured: 10_000, threshold: 220, node: oneZoneNode, ...both(inZones) },
  { ...basic, name: 'TopologySpreading', threshold: 460, node: zoneNode, ...both(spreading('DoNotSchedule'), {}) },
  { ...basic, name: 'PreferredTopologySpreading', threshold: 340, node: zoneNode, ...both(spreading('ScheduleAnyway'), {}) },
  {
    ...basic,
    name: 'DefaultTopologySpreading',
    measured: 50_000,
    threshold: 160,
    node: zoneNode,
    ...both(
      { namespace: 'service-ns', labels: { app: 'scheduler-perf' }, requests: {} },
      { namespace: 'service-ns', labels: { app: 'scheduler-perf' }, requests: {} },
    ),
    objects: [['services', object('Service', { name: 'service', namespace: 'service-ns' }, { selector: { app: 'scheduler-perf' } })]],
  },
  { ...basic, name: 'RequiredPodAntiAffinityWithNSSelector', nodes: 6_000, initial: 4_000, measured: 2_000, threshold: 24, node: plainNode, ...acrossNamespaces(40, required('podAntiAffinity', 'green', hostname, ofTeam)) },
  { ...basic, name: 'PreferredAntiAffinityWithNSSelector', initial: 4_000, measured: 2_000, threshold: 55, node: plainNode, ...acrossNamespaces(40, preferred('podAntiAffinity', 'yellow', ofTeam)) },
  { ...basic, name: 'RequiredPodAffinityWithNSSelector', measured: 2_000, threshold: 35, node: oneZoneNode, ...acrossNamespaces(50, required('podAffinity', 'blue', zone, ofTeam)) },
  { ...basic, name: 'PreferredAffinityWithNSSelector', threshold: 90, node: plainNode, ...acrossNamespaces(50, preferred('podAffinity', 'red', ofTeam)) },
]
