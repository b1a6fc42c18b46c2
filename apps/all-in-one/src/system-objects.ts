// What every cluster has from its first second, as upstream's API server makes it when it starts: the namespaces of the
// system, its priority classes, and the `kubernetes` Service. Making them again does nothing; what was deleted comes back.
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'

type Wish = Pick<ApiRequest, 'group' | 'resource' | 'namespace'> & { readonly body: JsonObject }

const namespace = (name: string): Wish => ({
  group: '',
  resource: 'namespaces',
  body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
})

const priorityClass = (name: string, value: number, description: string): Wish => ({
  group: 'scheduling.k8s.io',
  resource: 'priorityclasses',
  body: { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description },
})

/** First what others live in, then the others. */
const stages = (port: number): readonly (readonly Wish[])[] => [
  [
    ...['default', 'kube-system', 'kube-public', 'kube-node-lease'].map(namespace),
    priorityClass(
      'system-cluster-critical',
      2_000_000_000,
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    ),
    priorityClass(
      'system-node-critical',
      2_000_001_000,
      'Used for system critical pods that must not be moved from their current node.',
    ),
  ],
  [
    {
      group: '',
      resource: 'services',
      namespace: 'default',
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'kubernetes',
          namespace: 'default',
          labels: { component: 'apiserver', provider: 'kubernetes' },
        },
        spec: {
          clusterIP: '10.96.0.1',
          clusterIPs: ['10.96.0.1'],
          ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
          sessionAffinity: 'None',
          type: 'ClusterIP',
        },
      },
    },
  ],
]

const attemptsMax = 20
const pauseMs = 100

/** Resolves when all of them are there. */
export async function ensureSystemObjects(client: ApiClient, clock: Clock, port: number): Promise<void> {
  for (const wishes of stages(port)) await Promise.all(wishes.map((wish) => ensure(client, clock, wish)))
}

async function ensure(client: ApiClient, clock: Clock, wish: Wish): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { metadata } = wish.body
    const { body: _, ...address } = wish
    // Looked for first: to make a Service again is refused for its address before it is refused for its name.
    const found = await client.request({ ...address, verb: 'get', name: metadata.name })
    if (found.ok) return
    const result =
      found.code === 404
        ? await client.request({ ...wish, verb: 'create', query: { fieldManager: 'kube-apiserver' } })
        : found
    if (result.ok || result.code === 409) return
    // A refusal for good will not turn into something else; an unavailable log may.
    if (attempt === attemptsMax || (result.code < 500 && result.code !== 429)) {
      throw new Error(`${wish.resource} "${metadata.name}" could not be made: ${result.status.message}`)
    }
    await clock.sleep(pauseMs)
  }
}
