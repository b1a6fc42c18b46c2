import { eventually } from '@shiplog/testing/eventually'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { createFakeCluster, type FakeCluster } from '@shiplog/testing/fake-cluster'
import { createFakeNodes } from '@shiplog/testing/fake-nodes'
import { describe, expect, test } from 'vitest'
import { controllerManagerName, createControllerManager } from './controller-manager.ts'
import { isActive, isReady } from './shared/pods.ts'
import { deploymentManifest, deployments } from './testing/manifests.ts'

const manage = (cluster: FakeCluster, controllers?: readonly string[]) =>
  createControllerManager({
    feed: cluster.feed,
    client: cluster.client(),
    clock: systemClock,
    ids: systemIds,
    log: silentLogger,
    rootCa: 'CA',
    ...(controllers ? { controllers } : {}),
  })

const makeNamespace = (cluster: FakeCluster, name: string) =>
  cluster.must({
    verb: 'create',
    group: '',
    resource: 'namespaces',
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  })

describe('the controller manager', () => {
  test('runs everything together, from a namespace to its removal with all that is in it', async () => {
    const cluster = createFakeCluster(systemClock)
    makeNamespace(cluster, 'team')
    const manager = manage(cluster)
    expect(manager.health()[0]).toMatchObject({ name: 'informer-sync', ok: false })
    await manager.start()
    expect(manager.health()).toEqual([{ name: 'informer-sync', ok: true }])
    const nodes = createFakeNodes(cluster, systemClock)
    for (const name of ['node-0', 'node-1', 'node-2']) {
      cluster.must({
        verb: 'create',
        group: '',
        resource: 'nodes',
        body: { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} },
      })
    }
    using _running = nodes.automatic(1)
    try {
      const web = { ...deploymentManifest({ replicas: 5 }), metadata: { name: 'web', namespace: 'team' } }
      cluster.must({ verb: 'create', ...deployments, namespace: 'team', body: web })
      await eventually(() => cluster.list('pods').filter(isReady).length === 5 && manager.idle())
      expect(cluster.get('deployments.apps', 'team/web')!['status'].availableReplicas).toBe(5)
      const write = cluster.requests.find(({ request }) => request.resource === 'replicasets')!.request
      expect(write.query).toEqual({ fieldManager: controllerManagerName })
      expect(write.cause).toBe(Number(cluster.changes.find((change) => change.type === 'DeploymentCreated')!.sequence))
      const events = cluster.list('events').map((event) => `${event['source'].component} ${event['reason']}`)
      expect(events).toContain('deployment-controller ScalingReplicaSet')
      expect(events).toContain('replicaset-controller SuccessfulCreate')
      cluster.must({ verb: 'delete', group: '', resource: 'namespaces', name: 'team' })
      await eventually(() => cluster.get('namespaces', '/team') === undefined)
      await eventually(() => cluster.list('pods').length === 0)
      expect(cluster.list('replicasets.apps')).toEqual([])
      expect(manager.metrics()['deployment']!.depth).toBe(0)
    } finally {
      await manager.stop()
    }
  })

  test('runs only the controllers that it is told to, and refuses unknown ones', async () => {
    const cluster = createFakeCluster(systemClock)
    const manager = manage(cluster, ['serviceaccount-controller'])
    await manager.start()
    makeNamespace(cluster, 'default')
    await eventually(() => cluster.list('serviceaccounts').length === 1)
    expect(cluster.list('configmaps')).toEqual([])
    await manager.stop()
    await manager.stop()
    expect(() => manage(cluster, ['tea'])).toThrow('"tea" is not in the list of known controllers')
  })

  test('stops before it has started, and then start resolves', async () => {
    const cluster = createFakeCluster(systemClock)
    const manager = manage(cluster)
    const starting = manager.start()
    await manager.stop()
    await starting
  })

  test('does a thousand pods with bounded flight, and follows a feed that breaks', async () => {
    const cluster = createFakeCluster(systemClock)
    let inFlight = 0
    let most = 0
    const inner = cluster.client({ latencyMs: 1 })
    let breaks = 3
    const manager = createControllerManager({
      feed: {
        follow: async function* (resources, signal) {
          for await (const batch of cluster.feed.follow(resources, signal)) {
            yield batch
            if (batch.sequence > 50 && breaks > 0) {
              breaks--
              throw new Error('cut')
            }
          }
        },
      },
      client: {
        ...inner,
        request: async (request) => {
          most = Math.max(most, ++inFlight)
          try {
            return await inner.request(request)
          } finally {
            inFlight--
          }
        },
      },
      clock: systemClock,
      ids: systemIds,
      log: silentLogger,
      rootCa: 'CA',
      controllers: ['deployment-controller', 'replicaset-controller'],
    })
    await manager.start()
    cluster.must({ verb: 'create', ...deployments, body: deploymentManifest({ replicas: 1_000 }) })
    await eventually(() => cluster.list('pods').length === 1_000, { withinMs: 25_000 })
    await eventually(() => cluster.get('deployments.apps', 'default/web')!['status'].replicas === 1_000, {
      withinMs: 25_000,
    })
    expect(cluster.list('pods').filter(isActive)).toHaveLength(1_000)
    expect(most).toBeGreaterThan(100)
    expect(most).toBeLessThanOrEqual(510)
    expect(breaks).toBe(0)
    await manager.stop()
  }, 60_000)
})
