import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Action, actionsFor, type AnyObject, remove } from './actions.ts'
import { drainCommand, type DrainOptions, drainedPod, evictAll } from './drain.ts'
import type { Kind } from './kinds.ts'

interface Asked {
  readonly method: string
  readonly path: string
  readonly body: AnyObject
  readonly type: string
}

let asked: Asked[]
let answers: number[]
beforeEach(() => {
  asked = []
  answers = []
  vi.stubGlobal('localStorage', { getItem: () => 'proof' })
  vi.stubGlobal('fetch', async (path: string, { method, body, headers }: { method: string; body: string; headers: Record<string, string> }) => {
    asked.push({ method, path: path.replace(/[?&]pretty=false$/, ''), body: JSON.parse(body), type: headers['content-type']! })
    const status = answers.shift() ?? 200
    return new Response(JSON.stringify(status < 400 ? {} : { message: `because of ${status}` }), { status })
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

const kind = (resource: string, group: string, namespaced = true): Kind => ({ group, version: 'v1', resource, kind: resource, namespaced, verbs: ['delete'], shortNames: [] })
const deployments = kind('deployments', 'apps')
const nodes = kind('nodes', '', false)
const action = (of: Kind, object: AnyObject, name: string): Action => actionsFor(of, object).find((one) => one.name === name)!
const web = { metadata: { namespace: 'shop', name: 'web' }, spec: { replicas: 2 } }
const webPath = '/apis/apps/v1/namespaces/shop/deployments/web'
const merge = 'application/merge-patch+json'

describe('an action is one request, and says what kubectl would be told', () => {
  test.each([
    ['scale', deployments, web, '3', { method: 'PATCH', path: `${webPath}/scale`, body: { spec: { replicas: 3 } }, type: merge }, 'kubectl scale deployments/web -n shop --replicas=3'],
    ['pause', deployments, web, '', { method: 'PATCH', path: webPath, body: { spec: { paused: true } }, type: merge }, 'kubectl rollout pause deployments/web -n shop'],
    ['pause', deployments, { ...web, spec: { paused: true } }, '', { method: 'PATCH', path: webPath, body: { spec: { paused: null } }, type: merge }, 'kubectl rollout resume deployments/web -n shop'],
    ['suspend', kind('cronjobs', 'batch'), web, '', { method: 'PATCH', path: '/apis/batch/v1/namespaces/shop/cronjobs/web', body: { spec: { suspend: true } }, type: merge }, `kubectl patch cronjobs/web -n shop -p '{"spec":{"suspend":true}}'`],
    ['cordon', nodes, { metadata: { name: 'n1' } }, '', { method: 'PATCH', path: '/api/v1/nodes/n1', body: { spec: { unschedulable: true } }, type: merge }, 'kubectl cordon n1'],
    ['cordon', nodes, { metadata: { name: 'n1' }, spec: { unschedulable: true } }, '', { method: 'PATCH', path: '/api/v1/nodes/n1', body: { spec: { unschedulable: null } }, type: merge }, 'kubectl uncordon n1'],
    ['delete', deployments, web, 'background', { method: 'DELETE', path: webPath, body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' }, type: 'application/json' }, 'kubectl delete deployments/web -n shop'],
    ['delete', deployments, web, 'foreground', { method: 'DELETE', path: webPath, body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Foreground' }, type: 'application/json' }, 'kubectl delete deployments/web -n shop --cascade=foreground'],
    ['delete', deployments, web, 'orphan', { method: 'DELETE', path: webPath, body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Orphan' }, type: 'application/json' }, 'kubectl delete deployments/web -n shop --cascade=orphan'],
  ] as const)('%s', async (name, of, object, input, request, command) => {
    const one = action(of, object, name)
    await one.run(input)
    expect(asked).toEqual([request])
    expect(one.command(input)).toBe(command)
  })

  test('restart marks the pod template with the time, as kubectl does', async () => {
    const one = action(deployments, web, 'restart')
    await one.run('')
    const at = asked[0]!.body.spec.template.metadata.annotations['kubectl.kubernetes.io/restartedAt']
    expect(Number.isNaN(Date.parse(at))).toBe(false)
    expect(one.command('')).toBe('kubectl rollout restart deployments/web -n shop')
  })

  test('a custom kind of the same name has none of these', () => {
    expect(actionsFor(kind('deployments', 'example.com'), web).map(({ name }) => name)).toEqual(['delete'])
    expect(actionsFor(kind('nodes', 'example.com'), web).map(({ name }) => name)).toEqual(['delete'])
  })

  test('several are deleted as kubectl does without being told more', async () => {
    await remove('/api/v1/namespaces/a/pods/x')
    expect(asked[0]!.body.propagationPolicy).toBe('Background')
  })
})

const careful: DrainOptions = { force: false, deleteEmptyDir: false }
const owned = (ownerKind: string, more: AnyObject = {}): AnyObject => ({ ...more, metadata: { namespace: 'a', name: 'p', labels: { app: 'web' }, ownerReferences: [{ kind: ownerKind, controller: true }] } })
const scratch = { spec: { volumes: [{ emptyDir: {} }] } }

describe('a drain', () => {
  test.each([
    ['a pod of a ReplicaSet', owned('ReplicaSet'), careful, 'goes'],
    ['a pod of a DaemonSet', owned('DaemonSet'), careful, 'stays'],
    ['a mirror of a static pod', { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } }, careful, 'stays'],
    ['a bare pod', { metadata: { name: 'p' } }, careful, 'blocks'],
    ['a bare pod with --force', { metadata: { name: 'p' } }, { ...careful, force: true }, 'goes'],
    ['a bare pod that has ended', { metadata: { name: 'p' }, status: { phase: 'Succeeded' } }, careful, 'goes'],
    ['a pod with an emptyDir', owned('ReplicaSet', scratch), careful, 'blocks'],
    ['a pod with an emptyDir with --delete-emptydir-data', owned('ReplicaSet', scratch), { ...careful, deleteEmptyDir: true }, 'goes'],
  ])('%s', (_what, pod, options, fate) => {
    expect(drainedPod(pod, [], options).fate).toBe(fate)
  })

  test('tells the budgets that a pod is of', () => {
    const budget = (name: string, namespace: string, selector: AnyObject) => ({ metadata: { name, namespace }, spec: { selector }, status: { disruptionsAllowed: 1 } })
    const budgets = [
      budget('web', 'a', { matchLabels: { app: 'web' } }),
      budget('all', 'a', {}),
      budget('by-words', 'a', { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }, { key: 'old', operator: 'DoesNotExist' }] }),
      budget('elsewhere', 'b', {}),
      budget('others', 'a', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }),
      budget('nobody', 'a', null),
    ]
    expect(drainedPod(owned('ReplicaSet'), budgets, careful).budgets.map(({ name }) => name)).toEqual(['web', 'all', 'by-words'])
  })

  test('is what kubectl would be told', () => {
    expect(drainCommand('n1', careful)).toBe('kubectl drain n1 --ignore-daemonsets')
    expect(drainCommand('n1', { force: true, deleteEmptyDir: true })).toBe('kubectl drain n1 --ignore-daemonsets --force --delete-emptydir-data')
  })

  test('asks again for what a budget keeps, and not for what is refused or gone', async () => {
    vi.useFakeTimers()
    const pods = ['kept', 'refused', 'gone', 'goes'].map((name) => ({ ...drainedPod(owned('ReplicaSet'), [], careful), name }))
    answers = [429, 403, 404, 201, 201]
    const told: string[] = []
    const evicted = evictAll(pods, ({ name }, what) => told.push(`${name} ${what}`), new AbortController().signal)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await evicted).toBe(1)
    expect(told).toEqual(['kept waits: because of 429', 'refused because of 403', 'gone gone already', 'goes evicted', 'kept evicted'])
    expect(asked.at(-1)).toMatchObject({ method: 'POST', path: '/api/v1/namespaces/a/pods/kept/eviction', body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace: 'a', name: 'kept' } } })
  })
})
