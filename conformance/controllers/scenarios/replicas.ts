// Deployments, ReplicaSets, ReplicationControllers.
import type { Scenario } from '../scenario.ts'
import { deployment, kubelet, kubeletOneByOne, pass, patch, pod, remove, replicaSet, replicationController, scale, scenario, setImage, template } from './manifests.ts'

const web = 'deployments.apps/web'
const app = { labels: { app: 'web' } }
const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
})

export const replicaScenarios: readonly Scenario[] = [
  scenario('deployment/comes-up', deployment('web', { replicas: 3 }), { pods: { ...app, take: 1 }, become: 'unready' }, kubelet),
  scenario('deployment/of-nothing', deployment('web', { replicas: 0 }), scale(web, 1), kubelet, scale(web, 0), kubelet),
  scenario('deployment/scales-up-and-down', deployment('web', { replicas: 2 }), kubelet, scale(web, 4), kubelet, scale(web, 1), kubelet),
  scenario('deployment/rolls', deployment('web', { replicas: 3, ...rolling(1, 0) }), kubelet, setImage(web, 'app:2'), { pods: { labels: { app: 'web' }, phase: 'Pending' }, become: 'ready' }, kubelet),
  scenario('deployment/rolls-with-unavailable', deployment('web', { replicas: 4, ...rolling(0, 2) }), kubelet, setImage(web, 'app:2'), kubeletOneByOne),
  scenario('deployment/rolls-by-percentages', deployment('web', { replicas: 5, ...rolling('25%', '25%') }), kubelet, setImage(web, 'app:2'), kubeletOneByOne),
  scenario('deployment/recreates', deployment('web', { replicas: 2, strategy: { type: 'Recreate' } }), kubelet, setImage(web, 'app:2'), { pods: app, become: 'gone' }, kubelet),
  scenario('deployment/rolls-over', deployment('web', { replicas: 3 }), kubelet, setImage(web, 'app:2'), setImage(web, 'app:3'), kubelet),
  scenario('deployment/goes-back', deployment('web', { replicas: 2 }), kubelet, setImage(web, 'app:2'), kubelet, setImage(web, 'app:1'), kubelet),
  scenario('deployment/keeps-some-revisions', deployment('web', { replicas: 1, revisionHistoryLimit: 1 }), kubelet, setImage(web, 'app:2'), kubelet, setImage(web, 'app:3'), kubelet, setImage(web, 'app:4'), kubelet),
  scenario('deployment/keeps-no-revision', deployment('web', { replicas: 1, revisionHistoryLimit: 0 }), kubelet, setImage(web, 'app:2'), kubelet),
  scenario('deployment/paused', deployment('web', { replicas: 2, paused: true }), patch(web, { spec: { paused: false } }), kubelet, patch(web, { spec: { paused: true } }), setImage(web, 'app:2'), scale(web, 3), kubelet, patch(web, { spec: { paused: false } }), kubelet),
  scenario('deployment/misses-its-deadline', deployment('web', { replicas: 1, progressDeadlineSeconds: 15, minReadySeconds: 1 }), pass(16), kubelet, pass(3)),
  scenario('deployment/waits-until-available', deployment('web', { replicas: 2, minReadySeconds: 15 }), { pods: app, become: 'ready' }, pass(16)),
  scenario('deployment/proportional', deployment('web', { replicas: 4, ...rolling(2, 0) }), kubelet, setImage(web, 'app:2'), scale(web, 8), kubeletOneByOne),
  scenario('deployment/loses-a-pod', deployment('web', { replicas: 3 }), kubelet, { removePods: { ...app, take: 1 } }, kubelet),
  scenario('deployment/a-pod-fails', deployment('web', { replicas: 2 }), kubelet, { pods: { ...app, take: 1 }, become: { exitCode: 1 } }, kubelet),
  scenario('deployment/becomes-unready', deployment('web', { replicas: 2 }), kubelet, { pods: app, become: 'unready' }, { pods: app, become: 'ready' }),
  scenario('deployment/is-annotated', deployment('web', { replicas: 1 }, { annotations: { team: 'a', 'kubectl.kubernetes.io/last-applied-configuration': '{}' } }), kubelet, patch(web, { metadata: { annotations: { team: 'b', note: 'x' } } })),
  scenario('deployment/goes-and-leaves-orphans', deployment('web', { replicas: 2 }), kubelet, remove(web, 'Orphan'), deployment('web', { replicas: 2 }), kubelet),
  scenario('deployment/goes-in-the-background', deployment('web', { replicas: 2 }), kubelet, remove(web, 'Background'), kubelet),
  scenario('deployment/goes-in-the-foreground', deployment('web', { replicas: 2 }), kubelet, remove(web, 'Foreground'), kubelet),
  scenario('deployment/surge-is-rounded-up', deployment('web', { replicas: 1, ...rolling('1%', '1%') }), kubelet, setImage(web, 'app:2'), kubelet),
  scenario('deployment/template-labels-change', deployment('web', { replicas: 1 }), kubelet, patch(web, { spec: { template: { metadata: { labels: { tier: 'x' } } } } }), kubelet),

  scenario('replica-set/comes-up', replicaSet('web', { replicas: 2 }), { pods: { ...app, take: 1 }, become: 'ready' }, kubelet),
  scenario('replica-set/scales', replicaSet('web', { replicas: 3 }), kubelet, scale('replicasets.apps/web', 1), kubelet, scale('replicasets.apps/web', 0), kubelet),
  scenario('replica-set/adopts', pod('loose', { app: 'web' }), replicaSet('web', { replicas: 2 }), kubelet),
  scenario('replica-set/adopts-too-many', pod('a', { app: 'web' }), pod('b', { app: 'web' }), kubelet, replicaSet('web', { replicas: 1 }), kubelet),
  scenario('replica-set/releases', pod('named', { app: 'web', x: 'y' }), replicaSet('web', { replicas: 1 }), kubelet, patch('pods/named', { metadata: { labels: { app: 'other' } } }), kubelet),
  scenario('replica-set/a-finished-pod-is-replaced', replicaSet('web', { replicas: 1 }), kubelet, { pods: app, become: 'succeeded' }, kubelet),
  scenario('replica-set/waits-until-available', replicaSet('web', { replicas: 1, minReadySeconds: 15 }), { pods: app, become: 'ready' }, pass(16)),
  scenario('replica-set/prefers-to-remove-what-is-not-ready', replicaSet('web', { replicas: 3 }), { pods: { ...app, take: 2 }, become: 'ready' }, scale('replicasets.apps/web', 2), kubelet),
  scenario('replica-set/deletion-cost', pod('cheap', { app: 'web' }, {}, { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-5' } }), pod('dear', { app: 'web' }, {}, { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '9' } }), kubelet, replicaSet('web', { replicas: 1 }), kubelet),
  scenario('replica-set/more-labels-in-the-template', replicaSet('web', { replicas: 1, template: template('web', 'app:1', {}, { labels: { app: 'web', tier: 'x' }, finalizers: ['example.com/f'], annotations: { a: 'b' } }) }), kubelet),
  scenario('replica-set/goes-and-leaves-orphans', replicaSet('web', { replicas: 1 }), kubelet, remove('replicasets.apps/web', 'Orphan'), kubelet),
  scenario('replica-set/is-refused', replicaSet('web', { replicas: 1, template: template('web', 'app:1', { priorityClassName: 'none' }) })),

  scenario('replication-controller/comes-up', replicationController('web', { replicas: 2 }), kubelet, scale('replicationcontrollers/web', 1), kubelet),
  scenario('replication-controller/is-refused', replicationController('web', { replicas: 1, template: template('web', 'app:1', { priorityClassName: 'none' }) })),
  scenario('replication-controller/goes', replicationController('web', { replicas: 1 }), kubelet, remove('replicationcontrollers/web', 'Background'), kubelet),
]
