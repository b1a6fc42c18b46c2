// What is done through the page's buttons: asked for, shown as kubectl would be told, done, and seen in the cluster.
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import type { AnyObject, Kube } from './kube.ts'

export interface ActionWorld {
  readonly page: Page
  readonly kube: Kube
  readonly namespace: string
  readonly to: (path: string) => string
}

/** Pages take their time on a busy machine. */
const poll = (what: () => unknown) => expect.poll(what, { timeout: 20_000 })

/** A node that nothing else of the tests is about. */
const node = 'node-1'
const pinned = { app: 'pinned' }
const container = { name: 'main', image: 'none', resources: { requests: { cpu: '10m' } } }

/** Presses a button, compares the line, and confirms. */
async function act({ page }: ActionWorld, button: string, line: string, prepare?: (dialog: ReturnType<Page['getByRole']>) => Promise<unknown>): Promise<void> {
  const asking = page.locator('.actions').getByRole('button', { name: button, exact: true })
  await poll(() => asking.getAttribute('aria-disabled')).toBe('false')
  await asking.click()
  const dialog = page.getByRole('dialog')
  await prepare?.(dialog)
  await poll(() => dialog.locator('.copy code').textContent()).toBe(line)
  await dialog.getByRole('button', { name: button, exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
}

async function makePinned({ kube, namespace }: ActionWorld): Promise<void> {
  const spec = { nodeSelector: { 'kubernetes.io/hostname': node }, containers: [container] }
  await kube.ask('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, { metadata: { name: 'pinned' }, spec: { replicas: 1, selector: { matchLabels: pinned }, template: { metadata: { labels: pinned }, spec } } })
  await kube.ask('POST', `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, { metadata: { name: 'pinned' }, spec: { minAvailable: 1, selector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['pinned'] }] } } })
  await kube.ask('POST', `/api/v1/namespaces/${namespace}/pods`, { metadata: { name: 'bare' }, spec: { nodeName: node, containers: [container], volumes: [{ name: 'scratch', emptyDir: {} }] } })
  const running = async (selector: string): Promise<number> =>
    (await kube.ask('GET', `/api/v1/namespaces/${namespace}/pods?${selector}`))['items'].filter((pod: AnyObject) => pod['status'].phase === 'Running').length
  await poll(() => running('labelSelector=app%3Dpinned')).toBe(1)
  await poll(() => running('fieldSelector=metadata.name%3Dbare')).toBe(1)
  await poll(async () => (await kube.ask('GET', `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/pinned`))['status']?.currentHealthy).toBe(1)
}

/** Cordon, uncordon, and a drain that a bare pod, a scratch volume and a budget stand in the way of. */
export async function checkNodeActions(world: ActionWorld): Promise<void> {
  const { page, kube, namespace, to } = world
  await makePinned(world)
  const unschedulable = async (): Promise<unknown> => (await kube.ask('GET', `/api/v1/nodes/${node}`))['spec'].unschedulable
  await page.goto(to(`/object/core/v1/nodes/_/${node}`))
  await act(world, 'Cordon', `kubectl cordon ${node}`)
  await poll(unschedulable).toBe(true)
  await act(world, 'Uncordon', `kubectl uncordon ${node}`)
  await poll(unschedulable).toBe(undefined)
  await page.getByRole('button', { name: 'Drain', exact: true }).click()
  const dialog = page.getByRole('dialog')
  const line = (name: string) => dialog.locator('li', { hasText: `${namespace}/${name}` }).textContent()
  const drain = dialog.getByRole('button', { name: 'Drain', exact: true })
  await poll(() => line('bare')).toContain('in the way: what is in its emptyDir would be lost')
  await poll(() => line('pinned-')).toContain('budget pinned: 0 may go now')
  expect(await drain.isDisabled()).toBe(true)
  await dialog.getByRole('checkbox', { name: /emptyDir/ }).check()
  await poll(() => line('bare')).toContain('in the way: nobody would make it anew')
  await dialog.getByRole('checkbox', { name: /nobody would make anew/ }).check()
  expect(await dialog.locator('.copy code').textContent()).toBe(`kubectl drain ${node} --ignore-daemonsets --force --delete-emptydir-data`)
  expect(await unschedulable()).toBe(undefined)
  await drain.click()
  await poll(() => line('bare')).toContain('evicted')
  await poll(() => line('pinned-')).toContain("waits: Cannot evict pod as it would violate the pod's disruption budget.")
  expect(await unschedulable()).toBe(true)
  await kube.ask('DELETE', `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/pinned`)
  await poll(() => line('pinned-')).toContain('evicted')
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click()
  await kube.ask('PATCH', `/api/v1/nodes/${node}`, { spec: { unschedulable: null } })
}

/** Pause, resume, restart, and a delete that leaves what it owns. */
export async function checkDeploymentActions(world: ActionWorld): Promise<void> {
  const { page, kube, namespace, to } = world
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/pinned`
  const spec = async (): Promise<AnyObject> => (await kube.ask('GET', path))['spec']
  await page.goto(to(`/object/apps/v1/deployments/${namespace}/pinned`))
  await act(world, 'Pause', `kubectl rollout pause deployments/pinned -n ${namespace}`)
  await poll(async () => (await spec())['paused']).toBe(true)
  await act(world, 'Resume', `kubectl rollout resume deployments/pinned -n ${namespace}`)
  await poll(async () => (await spec())['paused']).toBe(undefined)
  await act(world, 'Restart', `kubectl rollout restart deployments/pinned -n ${namespace}`)
  await poll(async () => (await spec())['template'].metadata.annotations?.['kubectl.kubernetes.io/restartedAt']).toMatch(/^\d{4}-/)
  await act(world, 'Delete', `kubectl delete deployments/pinned -n ${namespace} --cascade=orphan`, (dialog) => dialog.getByLabel('What it owns').selectOption('orphan'))
  await poll(() => kube.ask('GET', path).then(() => 'there', (error: Error) => (error.message.includes('404') ? 'gone' : error.message))).toBe('gone')
  const { items } = await kube.ask('GET', `/apis/apps/v1/namespaces/${namespace}/replicasets?labelSelector=app%3Dpinned`)
  expect(items.length).toBeGreaterThan(0)
  expect(items.flatMap((set: AnyObject) => set['metadata'].ownerReferences ?? [])).toEqual([])
  await kube.ask('DELETE', `/apis/apps/v1/namespaces/${namespace}/replicasets?labelSelector=app%3Dpinned`)
}
