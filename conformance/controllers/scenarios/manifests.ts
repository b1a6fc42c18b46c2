// Manifests of the scenarios, short: what they do not say is the default.
import type { JsonObject } from '@shiplog/api/kube-object'
import { byHand, type Scenario, type Step } from '../scenario.ts'

export const scenario = (id: string, ...steps: readonly Step[]): Scenario => ({ id, steps })

/** A pod template; `app` is its label. */
export const template = (app: string, image = 'app:1', spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject => ({
  metadata: { labels: { app }, ...metadata },
  spec: {
    schedulerName: byHand,
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'main', image }],
    ...spec,
  },
})

const workload = (apiVersion: string, kind: string) => (name: string, spec: JsonObject, metadata: JsonObject = {}) => ({
  create: { apiVersion, kind, metadata: { name, ...metadata }, spec } as JsonObject,
})

export const selector = (app: string): JsonObject => ({ matchLabels: { app } })

/** With the selector and template of its name. */
const selecting = (apiVersion: string, kind: string) => (name: string, spec: JsonObject = {}, metadata: JsonObject = {}) =>
  workload(apiVersion, kind)(name, { selector: selector(name), template: template(name), ...spec }, metadata)

export const deployment = selecting('apps/v1', 'Deployment')
export const replicaSet = selecting('apps/v1', 'ReplicaSet')
export const daemonSet = selecting('apps/v1', 'DaemonSet')
export const statefulSet = (name: string, spec: JsonObject = {}) =>
  selecting('apps/v1', 'StatefulSet')(name, { serviceName: name, ...spec })
export const replicationController = (name: string, spec: JsonObject = {}) =>
  workload('v1', 'ReplicationController')(name, { selector: { app: name }, template: template(name), ...spec })
export const job = (name: string, spec: JsonObject = {}, podSpec: JsonObject = {}, metadata: JsonObject = {}) =>
  workload('batch/v1', 'Job')(
    name,
    { template: template(name, 'app:1', { restartPolicy: 'Never', ...podSpec }), ...spec },
    metadata,
  )
export const cronJob = (name: string, spec: JsonObject = {}) =>
  workload('batch/v1', 'CronJob')(name, {
    schedule: '* * * * *',
    jobTemplate: { spec: { template: template(name, 'app:1', { restartPolicy: 'Never' }) } },
    ...spec,
  })
export const budget = (name: string, spec: JsonObject) =>
  workload('policy/v1', 'PodDisruptionBudget')(name, { selector: selector('web'), ...spec })
export const quota = (name: string, hard: JsonObject, spec: JsonObject = {}) =>
  workload('v1', 'ResourceQuota')(name, { hard, ...spec })
export const service = (name: string, spec: JsonObject = {}, metadata: JsonObject = {}) =>
  workload('v1', 'Service')(name, { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }], ...spec }, metadata)
export const autoscaler = (name: string, spec: JsonObject = {}) =>
  workload('autoscaling/v2', 'HorizontalPodAutoscaler')(name, {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    maxReplicas: 5,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
    ...spec,
  })
export const pod = (name: string, labels: JsonObject, spec: JsonObject = {}, metadata: JsonObject = {}) => ({
  create: {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels, ...metadata } },
    spec: { schedulerName: byHand, terminationGracePeriodSeconds: 5, containers: [{ name: 'main', image: 'app:1' }], ...spec },
  } as JsonObject,
})

export const kubelet: Step = { kubelet: true }
export const kubeletOneByOne: Step = { kubelet: true, oneByOne: true }
export const pass = (seconds: number): Step => ({ passSeconds: seconds })
/** A CronJob's first minute is not over too soon. */
export const early: Step = { untilSecond: 2 }
export const patch = (target: string, change: JsonObject, subresource?: string): Step => ({
  ...{ patch: target, with: change },
  ...(subresource === undefined ? {} : { subresource }),
})
export const scale = (target: string, replicas: number): Step => patch(target, { spec: { replicas } })
export const setImage = (target: string, image: string): Step =>
  patch(target, { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } })
export const remove = (target: string, propagation?: 'Orphan' | 'Background' | 'Foreground'): Step => ({
  remove: target,
  ...(propagation ? { propagation } : {}),
})
