// Scenarios of controllers: what people ask for and what becomes of pods, as a script that any cluster can be played. There is
// no scheduler and no kubelet in it: the script itself binds pods, says that they run, that they ended, that they are gone.
// So what happens depends on controllers alone, and can be compared between two implementations at every point of rest.
import type { JsonObject } from '@shiplog/api/kube-object'

/** Which pods of the scenario. All conditions hold; the first `take` of them, by index and name. */
export interface PodChoice {
  readonly labels?: Readonly<Record<string, string>>
  readonly name?: string
  /** Completion index of an Indexed Job. */
  readonly index?: number
  /** Only those that are in this phase. */
  readonly phase?: string
  readonly take?: number
}

export type Outcome =
  /** Running and ready. */
  | 'ready'
  /** Running and not ready. */
  | 'unready'
  | 'succeeded'
  /** Ended with this code. */
  | { readonly exitCode: number }
  /** What is being deleted has ended, and goes. */
  | 'gone'

export type Step =
  | { readonly create: JsonObject }
  /** `deployments.apps/web`; a merge patch. */
  | { readonly patch: string; readonly with: JsonObject; readonly subresource?: string }
  | { readonly remove: string; readonly propagation?: 'Orphan' | 'Background' | 'Foreground' }
  | { readonly evict: PodChoice }
  | { readonly removePods: PodChoice }
  | { readonly pods: PodChoice; readonly become: Outcome }
  /**
   * Every pod runs and is ready, and what is being deleted goes, until nothing is left to do. One by one: controllers come to
   * rest after each.
   */
  | { readonly kubelet: true; readonly oneByOne?: true }
  | { readonly passSeconds: number }
  /** Until so many seconds of a minute have passed. */
  | { readonly untilSecond: number }

export interface Scenario {
  readonly id: string
  readonly steps: readonly Step[]
}

/** Nobody schedules pods that ask for this scheduler: the script does. */
export const byHand = 'by-hand'

/** The nodes that every scenario finds. */
export const nodeNames = ['by-hand-0', 'by-hand-1', 'by-hand-2'] as const

export const nodeManifest = (name: string): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, disk: name.endsWith('0') ? 'ssd' : 'hdd' } },
  spec: {},
})

/** The resources that are compared. */
export const compared = [
  'pods',
  'replicationcontrollers',
  'replicasets.apps',
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'controllerrevisions.apps',
  'jobs.batch',
  'cronjobs.batch',
  'poddisruptionbudgets.policy',
  'horizontalpodautoscalers.autoscaling',
  'resourcequotas',
  'endpoints',
  'endpointslices.discovery.k8s.io',
  'persistentvolumeclaims',
] as const
