// ComponentStatuses: an old way to ask whether scheduler, controller manager and store are well. They are made when they are
// asked for, from the pods in kube-system that stand for the components, and from the gateway's own health.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import { Version } from '../store/version.ts'

/** Upstream's names for them, and whose pods are looked at; the log is where upstream has etcd. */
const components: readonly (readonly [name: string, component: string | undefined])[] = [
  ['controller-manager', 'kube-controller-manager'],
  ['etcd-0', undefined],
  ['scheduler', 'kube-scheduler'],
]

const isReady = (pod: JsonObject): boolean =>
  ((pod['status']?.conditions ?? []) as JsonObject[]).some(({ type, status }) => type === 'Ready' && status === 'True')

export function componentStatuses(view: AdmissionView, logIsHealthy: boolean): Version[] {
  const pods = view.list('pods', 'kube-system')
  const isWell = (component: string): boolean =>
    pods.some((pod) => pod.metadata.labels?.['component'] === component && isReady(pod))
  return components.map(([name, component]) =>
    versionOf(name, component === undefined ? logIsHealthy : isWell(component)),
  )
}

function versionOf(name: string, healthy: boolean): Version {
  const condition = healthy
    ? { type: 'Healthy', status: 'True', message: 'ok' }
    : { type: 'Healthy', status: 'False', message: 'not ready' }
  const object = { kind: 'ComponentStatus', apiVersion: 'v1', metadata: { name }, conditions: [condition] }
  return new Version({
    ...{ key: name, namespace: '', name, sequence: 0, timeMs: 0, deleted: false },
    ...{ previousSequence: 0, checksum: '', previous: undefined },
    bytes: Buffer.from(JSON.stringify(object)),
  })
}
