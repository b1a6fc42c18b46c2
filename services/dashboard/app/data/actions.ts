// What can be done to objects: which request does it, which right it takes, and what kubectl would be told.
import { askJson } from './api.ts'
import { type Kind, keyOf, kubectlName, objectPath } from './kinds.ts'
import type { Right } from './rights.ts'
import { inNamespace, shellLine } from './shell.ts'

export type AnyObject = any

export type ActionInput =
  | { readonly label: string; readonly initial: string; readonly type: 'count' }
  | { readonly label: string; readonly initial: string; readonly type: 'choice'; readonly choices: readonly { readonly value: string; readonly title: string }[] }

export interface Action {
  readonly name: string
  readonly title: string
  readonly isDangerous?: boolean
  readonly right: Right
  /** What kubectl would be told, with this input. */
  command(input: string): string
  /** What is asked before; there is none where nothing needs to be known. */
  readonly input?: ActionInput
  run(input: string): Promise<unknown>
}

const mergePatch = 'application/merge-patch+json'
const patch = (path: string, body: unknown): Promise<unknown> => askJson(path, { method: 'PATCH', type: mergePatch, body })

const cascades = ['background', 'foreground', 'orphan'] as const
const cascadeChoices = [
  { value: 'background', title: 'goes after it (background)' },
  { value: 'foreground', title: 'goes before it (foreground)' },
  { value: 'orphan', title: 'stays, without an owner (orphan)' },
]
const scalable = new Set(['deployments', 'statefulsets', 'replicasets', 'replicationcontrollers'])
const restartable = new Set(['deployments', 'statefulsets', 'daemonsets'])

/** A custom kind may have the name of a built-in one. */
const isBuiltIn = ({ group }: Kind): boolean => group === '' || group === 'apps'

export function actionsFor(kind: Kind, object: AnyObject): readonly Action[] {
  const { namespace = '', name } = object.metadata
  const at = { group: kind.group, resource: kind.resource, namespace, name }
  const path = objectPath(kind, namespace, name)
  const where = inNamespace(namespace)
  const target = `${kubectlName(kind)}/${name}`
  const actions: Action[] = []
  const add = (action: Action): void => void actions.push(action)
  if (isBuiltIn(kind) && scalable.has(kind.resource))
    add({
      ...{ name: 'scale', title: 'Scale', right: { ...at, verb: 'patch', subresource: 'scale' } },
      command: (input) => shellLine('kubectl', 'scale', target, ...where, `--replicas=${input}`),
      input: { label: 'Replicas', initial: String(object.spec?.replicas ?? 1), type: 'count' },
      run: (input) => patch(`${path}/scale`, { spec: { replicas: Number(input) } }),
    })
  if (isBuiltIn(kind) && restartable.has(kind.resource))
    add({
      ...{ name: 'restart', title: 'Restart', right: { ...at, verb: 'patch' } },
      command: () => shellLine('kubectl', 'rollout', 'restart', target, ...where),
      run: () => patch(path, { spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() } } } } }),
    })
  if (keyOf(kind) === 'deployments.apps') {
    const isPaused = object.spec?.paused === true
    add({
      ...{ name: 'pause', title: isPaused ? 'Resume' : 'Pause', right: { ...at, verb: 'patch' } },
      command: () => shellLine('kubectl', 'rollout', isPaused ? 'resume' : 'pause', target, ...where),
      run: () => patch(path, { spec: { paused: isPaused ? null : true } }),
    })
  }
  if (keyOf(kind) === 'cronjobs.batch') {
    const isSuspended = object.spec?.suspend === true
    add({
      ...{ name: 'suspend', title: isSuspended ? 'Resume' : 'Suspend', right: { ...at, verb: 'patch' } },
      command: () => shellLine('kubectl', 'patch', target, ...where, '-p', JSON.stringify({ spec: { suspend: !isSuspended } })),
      run: () => patch(path, { spec: { suspend: !isSuspended } }),
    })
  }
  if (keyOf(kind) === 'nodes') {
    const isCordoned = object.spec?.unschedulable === true
    add({
      ...{ name: 'cordon', title: isCordoned ? 'Uncordon' : 'Cordon', right: { ...at, verb: 'patch' } },
      command: () => shellLine('kubectl', isCordoned ? 'uncordon' : 'cordon', name),
      run: () => cordonNode(name, !isCordoned),
    })
  }
  if (kind.verbs.includes('delete'))
    add({
      ...{ name: 'delete', title: 'Delete', isDangerous: true, right: { ...at, verb: 'delete' } },
      command: (input) => shellLine('kubectl', 'delete', target, ...where, input === 'background' ? undefined : `--cascade=${input}`),
      input: { label: 'What it owns', initial: 'background', type: 'choice', choices: cascadeChoices },
      run: (input) => remove(path, input as Cascade),
    })
  return actions
}

/** What becomes of what an object owns. */
export type Cascade = (typeof cascades)[number]

/** As kubectl does without being told: what an object owns goes after it. */
export const remove = (path: string, cascade: Cascade = 'background'): Promise<unknown> =>
  askJson(path, { method: 'DELETE', body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: `${cascade[0]!.toUpperCase()}${cascade.slice(1)}` } })

export const cordonNode = (node: string, isOn: boolean): Promise<unknown> => patch(`/api/v1/nodes/${encodeURIComponent(node)}`, { spec: { unschedulable: isOn || null } })
