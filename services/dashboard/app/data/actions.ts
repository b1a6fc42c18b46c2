// What can be done to objects: which request does it, which right it takes, and what kubectl would be told.
import { askJson } from './api.ts'
import { type Kind, kubectlName, objectPath } from './kinds.ts'
import type { Right } from './rights.ts'

export type AnyObject = any

export interface Action {
  readonly name: string
  readonly title: string
  readonly isDangerous?: boolean
  readonly right: Right
  readonly command: string
  /** What is asked before; nothing is where nothing needs to be known. */
  readonly input?: { readonly label: string; readonly initial: string; readonly type: 'number' | 'text' }
  run(input: string): Promise<unknown>
}

const mergePatch = 'application/merge-patch+json'
const patch = (path: string, body: unknown): Promise<unknown> => askJson(path, { method: 'PATCH', type: mergePatch, body })

const scalable = new Set(['deployments', 'statefulsets', 'replicasets', 'replicationcontrollers'])
const restartable = new Set(['deployments', 'statefulsets', 'daemonsets'])

export function actionsFor(kind: Kind, object: AnyObject): readonly Action[] {
  const { namespace = '', name } = object.metadata
  const at = { group: kind.group, resource: kind.resource, namespace, name }
  const path = objectPath(kind, namespace, name)
  const where = namespace ? ` -n ${namespace}` : ''
  const target = `${kubectlName(kind)}/${name}`
  const actions: Action[] = []
  const add = (action: Action): void => void actions.push(action)
  if (scalable.has(kind.resource))
    add({
      ...{ name: 'scale', title: 'Scale', right: { ...at, verb: 'patch', subresource: 'scale' } },
      command: `kubectl scale ${target}${where} --replicas=N`,
      input: { label: 'Replicas', initial: String(object.spec?.replicas ?? 1), type: 'number' },
      run: (input) => patch(`${path}/scale`, { spec: { replicas: Number(input) } }),
    })
  if (restartable.has(kind.resource))
    add({
      ...{ name: 'restart', title: 'Restart', right: { ...at, verb: 'patch' } },
      command: `kubectl rollout restart ${target}${where}`,
      run: () => patch(path, { spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() } } } } }),
    })
  if (kind.resource === 'deployments') {
    const isPaused = object.spec?.paused === true
    add({
      ...{ name: 'pause', title: isPaused ? 'Resume' : 'Pause', right: { ...at, verb: 'patch' } },
      command: `kubectl rollout ${isPaused ? 'resume' : 'pause'} ${target}${where}`,
      run: () => patch(path, { spec: { paused: isPaused ? null : true } }),
    })
  }
  if (kind.resource === 'cronjobs') {
    const isSuspended = object.spec?.suspend === true
    add({
      ...{ name: 'suspend', title: isSuspended ? 'Resume' : 'Suspend', right: { ...at, verb: 'patch' } },
      command: `kubectl patch ${target}${where} -p '{"spec":{"suspend":${!isSuspended}}}'`,
      run: () => patch(path, { spec: { suspend: !isSuspended } }),
    })
  }
  if (kind.resource === 'nodes') {
    const isCordoned = object.spec?.unschedulable === true
    add({
      ...{ name: 'cordon', title: isCordoned ? 'Uncordon' : 'Cordon', right: { ...at, verb: 'patch' } },
      command: `kubectl ${isCordoned ? 'uncordon' : 'cordon'} ${name}`,
      run: () => patch(path, { spec: { unschedulable: isCordoned ? null : true } }),
    })
  }
  if (kind.verbs.includes('delete'))
    add({
      ...{ name: 'delete', title: 'Delete', isDangerous: true, right: { ...at, verb: 'delete' } },
      command: `kubectl delete ${target}${where}`,
      run: () => remove(path),
    })
  return actions
}

/** As kubectl does: what an object owns goes after it. */
export const remove = (path: string): Promise<unknown> =>
  askJson(path, { method: 'DELETE', body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' } })

export interface DrainedPod {
  readonly namespace: string
  readonly name: string
  /** Why it stays; undefined for those that go. */
  readonly stays: string | undefined
}

/** What a drain of a node would do, as kubectl decides it with --ignore-daemonsets. */
export async function drainPreview(node: string): Promise<readonly DrainedPod[]> {
  const { items } = await askJson(`/api/v1/pods?fieldSelector=spec.nodeName=${encodeURIComponent(node)}`)
  return items.map(({ metadata, status }: AnyObject) => {
    const isDaemon = metadata.ownerReferences?.some((owner: { kind: string }) => owner.kind === 'DaemonSet')
    const isMirror = metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
    const isOver = /^(Succeeded|Failed)$/.test(status?.phase ?? '')
    const isBare = !metadata.ownerReferences?.length && !isOver
    const stays = isDaemon ? 'of a DaemonSet' : isMirror ? 'a mirror of a static pod' : isBare ? 'nobody would make it anew' : undefined
    return { namespace: metadata.namespace, name: metadata.name, stays }
  })
}

/** Evicts one: budgets of disruption hold. */
export const evict = ({ namespace, name }: DrainedPod): Promise<unknown> =>
  askJson(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
    method: 'POST',
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } },
  })
