// StatefulSets and DaemonSets.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Scenario } from '../scenario.ts'
import { daemonSet, kubelet, pass, patch, pod, remove, scale, scenario, setImage, statefulSet, template } from './manifests.ts'

const db = 'statefulsets.apps/db'
const agent = 'daemonsets.apps/agent'
const claims: JsonObject = {
  volumeClaimTemplates: [
    { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  ],
}
const parallel = { podManagementPolicy: 'Parallel' }
const daemonPods = { labels: { app: 'agent' } }
const partition = (value: number): JsonObject => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: value } } })
const onDelete = { updateStrategy: { type: 'OnDelete' } }
const daemonRolling = (rollingUpdate: JsonObject): JsonObject => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } })

export const setScenarios: readonly Scenario[] = [
  scenario('stateful-set/comes-up-in-order', statefulSet('db', { replicas: 2 }), { pods: { name: 'db-0' }, become: 'unready' }, { pods: { name: 'db-0' }, become: 'ready' }, kubelet),
  scenario('stateful-set/comes-up-at-once', statefulSet('db', { replicas: 3, ...parallel }), kubelet),
  scenario('stateful-set/scales', statefulSet('db', { replicas: 3 }), kubelet, scale(db, 1), kubelet, scale(db, 2), kubelet),
  scenario('stateful-set/scales-at-once', statefulSet('db', { replicas: 3, ...parallel }), kubelet, scale(db, 0), kubelet),
  scenario('stateful-set/rolls', statefulSet('db', { replicas: 2 }), kubelet, setImage(db, 'app:2'), { pods: { name: 'db-1' }, become: 'gone' }, kubelet),
  scenario('stateful-set/rolls-a-part', statefulSet('db', { replicas: 3, ...partition(2) }), kubelet, setImage(db, 'app:2'), kubelet, patch(db, { spec: partition(0) }), kubelet),
  scenario('stateful-set/on-delete', statefulSet('db', { replicas: 2, ...onDelete }), kubelet, setImage(db, 'app:2'), { removePods: { name: 'db-0' } }, kubelet),
  scenario('stateful-set/goes-back', statefulSet('db', { replicas: 1 }), kubelet, setImage(db, 'app:2'), kubelet, setImage(db, 'app:1'), kubelet),
  scenario('stateful-set/does-not-roll-on-while-one-is-unready', statefulSet('db', { replicas: 2 }), kubelet, setImage(db, 'app:2'), { pods: { name: 'db-1' }, become: 'gone' }, { pods: { name: 'db-1' }, become: 'unready' }),
  scenario('stateful-set/loses-a-pod', statefulSet('db', { replicas: 2 }), kubelet, { removePods: { name: 'db-0' } }, kubelet),
  scenario('stateful-set/a-pod-fails', statefulSet('db', { replicas: 1 }), kubelet, { pods: { name: 'db-0' }, become: { exitCode: 1 } }, kubelet),
  scenario('stateful-set/claims', statefulSet('db', { replicas: 2, ...claims }), kubelet, scale(db, 1), kubelet),
  scenario('stateful-set/claims-go-with-pods', statefulSet('db', { replicas: 2, ...claims, persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Delete' } }), kubelet, scale(db, 1), kubelet, remove(db, 'Background'), kubelet),
  scenario('stateful-set/starts-at-five', statefulSet('db', { replicas: 2, ordinals: { start: 5 } }), kubelet, patch(db, { spec: { ordinals: { start: 4 } } }), kubelet),
  scenario('stateful-set/waits-until-available', statefulSet('db', { replicas: 2, minReadySeconds: 15 }), { pods: { name: 'db-0' }, become: 'ready' }, pass(16), kubelet, pass(16)),
  scenario('stateful-set/keeps-some-revisions', statefulSet('db', { replicas: 1, revisionHistoryLimit: 1 }), kubelet, setImage(db, 'app:2'), kubelet, setImage(db, 'app:3'), kubelet, setImage(db, 'app:4'), kubelet),
  scenario('stateful-set/adopts', pod('db-0', { app: 'db' }), statefulSet('db', { replicas: 1 }), kubelet),
  scenario('stateful-set/goes', statefulSet('db', { replicas: 2 }), kubelet, remove(db, 'Background'), kubelet),
  scenario('stateful-set/goes-and-leaves-orphans', statefulSet('db', { replicas: 1 }), kubelet, remove(db, 'Orphan'), statefulSet('db', { replicas: 1 }), kubelet),
  scenario('stateful-set/is-refused', statefulSet('db', { replicas: 1, template: template('db', 'app:1', { priorityClassName: 'none' }) })),

  scenario('daemon-set/comes-up', daemonSet('agent'), { pods: { ...daemonPods, take: 1 }, become: 'unready' }, kubelet),
  scenario('daemon-set/on-some-nodes', daemonSet('agent', { template: template('agent', 'app:1', { nodeSelector: { disk: 'ssd' } }) }), kubelet, patch(agent, { spec: { template: { spec: { nodeSelector: { disk: 'hdd' } } } } }), kubelet),
  scenario('daemon-set/on-no-node', daemonSet('agent', { template: template('agent', 'app:1', { nodeSelector: { disk: 'none' } }) })),
  scenario('daemon-set/rolls', daemonSet('agent'), kubelet, setImage(agent, 'app:2'), kubelet),
  scenario('daemon-set/rolls-two-at-a-time', daemonSet('agent', daemonRolling({ maxUnavailable: 2 })), kubelet, setImage(agent, 'app:2'), kubelet),
  scenario('daemon-set/rolls-with-surge', daemonSet('agent', daemonRolling({ maxSurge: 1, maxUnavailable: 0 })), kubelet, setImage(agent, 'app:2'), kubelet),
  scenario('daemon-set/on-delete', daemonSet('agent', onDelete), kubelet, setImage(agent, 'app:2'), { removePods: { ...daemonPods, take: 1 } }, kubelet),
  scenario('daemon-set/goes-back', daemonSet('agent'), kubelet, setImage(agent, 'app:2'), kubelet, setImage(agent, 'app:1'), kubelet),
  scenario('daemon-set/loses-a-pod', daemonSet('agent'), kubelet, { removePods: { ...daemonPods, take: 1 } }, kubelet),
  scenario('daemon-set/a-pod-fails', daemonSet('agent'), kubelet, { pods: { ...daemonPods, take: 1 }, become: { exitCode: 1 } }, pass(3), kubelet),
  scenario('daemon-set/waits-until-available', daemonSet('agent', { minReadySeconds: 15 }), { pods: daemonPods, become: 'ready' }, pass(16)),
  scenario('daemon-set/tolerates-everything', daemonSet('agent', { template: template('agent', 'app:1', { tolerations: [{ operator: 'Exists' }], nodeSelector: { disk: 'hdd' }, hostNetwork: true }) }), kubelet),
  scenario('daemon-set/goes', daemonSet('agent'), kubelet, remove(agent, 'Background'), kubelet),
  scenario('daemon-set/goes-and-leaves-orphans', daemonSet('agent'), kubelet, remove(agent, 'Orphan'), daemonSet('agent'), kubelet),
  scenario('daemon-set/keeps-some-revisions', daemonSet('agent', { revisionHistoryLimit: 1 }), kubelet, setImage(agent, 'app:2'), kubelet, setImage(agent, 'app:3'), kubelet, setImage(agent, 'app:4'), kubelet),
]
