// The suite that proves "exactly N children, never a duplicate": two runners with all reconcilers
// work on one cluster, and one of them is killed at every command of a rollout, before the command is sent or after it
// was appended and before any view has seen it. The backend is a parameter: the fake cluster, or a gateway on a real log.
import { eventually } from '@shiplog/testing/eventually'
import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { EndpointSlice } from '@shiplog/api/generated/types/discovery-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ObjectOf } from '@shiplog/api/object-of'
import type { ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import { createControllerRunner, type ControllerRunner } from '@shiplog/reconcile/runner'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { describe, expect, test } from 'vitest'
import { createReconcilers } from '../controller-manager.ts'
import { controllerOf } from '../shared/ownership.ts'
import { isActive } from '../shared/pods.ts'
import { deploymentManifest, deployments, pods } from './manifests.ts'
import { createFakeTokenSigner, createTestAuthority } from './signers.ts'
import { runSimulatedNodes } from './simulated-nodes.ts'

/** A cluster with an empty namespace `default` and no controllers. */
export interface Backend {
  /** What controllers read; of each runner its own, so that their views may differ. */
  feed(): ObjectFeed
  client(): ApiClient
  /** What really happened, with no delay. */
  truth(): ObjectFeed
  close(): Promise<void>
}

export interface SuiteOptions {
  readonly open: () => Promise<Backend>
  /** The commands at which a runner is killed. */
  readonly killAt: readonly number[]
  readonly chaosSeeds: readonly number[]
  readonly deadlineMs: number
}

/** What the suite looks at. */
const followed = [
  'pods',
  'replicasets.apps',
  'deployments.apps',
  'endpoints',
  'endpointslices.discovery.k8s.io',
  'serviceaccounts',
  'configmaps',
  'secrets',
]

const serviceManifest = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
}

const tokenSecret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'token', namespace: 'default', annotations: { 'kubernetes.io/service-account.name': 'default' } },
  type: 'kubernetes.io/service-account-token',
}

type Death = 'before the command is sent' | 'after the append, before the answer'

/** A client that lets its owner die at the nth command: from then on nothing is sent and nothing is answered. */
function mortalClient(client: ApiClient, dieAt: number, death: Death, onDeath: () => void): ApiClient {
  let sent = 0
  let dead = false
  const never = new Promise<never>(() => undefined)
  return {
    recordAttempt: (attempt) => client.recordAttempt(attempt),
    request: async (request: ApiRequest) => {
      if (dead) return never
      if (request.resource !== 'events' && request.query?.['dryRun'] === undefined && ++sent === dieAt) {
        dead = true
        if (death === 'after the append, before the answer') await client.request(request)
        onDeath()
        return never
      }
      const answer = await client.request(request)
      // Only what was appended counts as a step: a runner that starts anew must first find out which names were used.
      if (!answer.ok) sent--
      return dead ? never : answer
    },
  }
}

/** mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Follows what really happens and counts every ReplicaSet's children at each step. */
class Witness {
  readonly objects = new Map<string, KubeObject>()
  readonly created = new Map<string, number>()
  readonly excesses: string[] = []
  /** All tokens that ever lay in a Secret. */
  readonly tokens = new Set<string>()
  /** The most that each ReplicaSet was ever asked for, by uid. */
  readonly #asked = new Map<string, number>()

  see(change: ObjectChange): void {
    const object = change.object
    const id = `${change.groupResource} ${change.name}`
    if (change.groupResource === 'replicasets.apps') {
      const { uid } = object.metadata
      this.#asked.set(uid, Math.max(this.#asked.get(uid) ?? 0, object['spec'].replicas))
    }
    if (object['data']?.token) this.tokens.add(object['data'].token)
    if (change.deleted) this.objects.delete(id)
    else {
      const isNew = this.objects.get(id)?.metadata.uid !== object.metadata.uid
      this.objects.set(id, object)
      if (isNew && change.groupResource === 'pods') this.#count(object as Pod)
    }
  }

  #count(pod: Pod): void {
    const uid = controllerOf(pod)?.uid ?? ''
    this.created.set(uid, (this.created.get(uid) ?? 0) + 1)
    const active = this.activePodsOf(uid).length
    const asked = this.#asked.get(uid) ?? 0
    if (active > asked) this.excesses.push(`${pod.metadata.name}: ${active} active of ${asked}`)
  }

  list<R extends string>(groupResource: R): ObjectOf<R>[] {
    return [...this.objects]
      .filter(([id]) => id.startsWith(`${groupResource} `))
      .map(([, object]) => object as ObjectOf<R>)
  }

  activePodsOf(uid: string): Pod[] {
    return this.list('pods').filter((pod) => controllerOf(pod)?.uid === uid && isActive(pod))
  }
}

const signers = { tokenSigner: createFakeTokenSigner(), certificateSigner: createTestAuthority().signer }

/** Defines the suite. */
export function describeTwoRunners(name: string, options: SuiteOptions): void {
  const { deadlineMs } = options

  interface Stage {
    readonly backend: Backend
    readonly client: ApiClient
    readonly witness: Witness
    readonly start: (client?: ApiClient) => ControllerRunner
    readonly complete: (image: string, replicas: number) => boolean
  }

  const onStage = async (play: (stage: Stage) => Promise<void>): Promise<void> => {
    const backend = await options.open()
    const ending = new AbortController()
    const runners: ControllerRunner[] = []
    const witness = new Witness()
    const client = backend.client()
    const watching = (async () => {
      for await (const batch of backend.truth().follow(followed, ending.signal)) {
        for (const change of batch.changes) witness.see(change)
      }
    })()
    const nodes = runSimulatedNodes({ feed: backend.truth(), client, nodes: ['node-0', 'node-1'] }, ending.signal)
    try {
      await play({
        backend,
        client,
        witness,
        start: (own = backend.client()) => {
          const runner = createControllerRunner({
            name: `runner-${runners.length}`,
            feed: backend.feed(),
            client: own,
            clock: systemClock,
            log: silentLogger,
            reconcilers: createReconcilers({ rootCa: 'CA', ...signers }),
          })
          runners.push(runner)
          void runner.start()
          return runner
        },
        complete: (image, replicas) => {
          const deployment = witness.list('deployments.apps')[0]
          const status = (deployment?.['status'] ?? {}) as JsonObject
          const active = witness.list('pods').filter(isActive)
          return (
            deployment !== undefined &&
            status['observedGeneration'] === deployment.metadata.generation &&
            status['updatedReplicas'] === replicas &&
            status['availableReplicas'] === replicas &&
            status['replicas'] === replicas &&
            active.length === replicas &&
            active.every((pod) => pod.spec.containers[0]?.image === image)
          )
        },
      })
    } finally {
      ending.abort()
      for (const runner of runners) void runner.stop()
      await Promise.allSettled([watching, nodes])
      await backend.close()
    }
  }

  /** The Service's endpoints are the active pods, each once, in one slice, and the namespace has what every one has. */
  const expectOneOfEach = async (witness: Witness): Promise<void> => {
    const slices = (): EndpointSlice[] => witness.list('endpointslices.discovery.k8s.io')
    const shown = (): string[] =>
      slices()
        .flatMap((slice) => (slice['endpoints'] ?? []) as JsonObject[])
        .map((endpoint) => endpoint['targetRef'].name as string)
        .sort()
    const wanted = witness
      .list('pods')
      .filter(isActive)
      .map((pod) => pod.metadata.name)
      .sort()
    await eventually('endpoints of the active pods', () => shown().join() === wanted.join(), { withinMs: deadlineMs })
    expect(slices()).toHaveLength(1)
    expect(witness.list('endpoints')).toHaveLength(1)
    expect(witness.list('serviceaccounts').map((one) => one.metadata.name)).toEqual(['default'])
    expect(witness.list('configmaps').map((one) => one.metadata.name)).toEqual(['kube-root-ca.crt'])
  }

  const setImage = async (client: ApiClient, image: string): Promise<void> => {
    const result = await client.request({
      verb: 'patch',
      ...deployments,
      name: 'web',
      patchType: 'application/merge-patch+json',
      body: { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } },
    })
    if (!result.ok) throw new Error(result.status.message)
  }

  describe(`two runners on ${name}`, () => {
    const deaths: readonly Death[] = ['before the command is sent', 'after the append, before the answer']
    test.each(options.killAt.flatMap((at) => deaths.map((death) => [at, death] as const)))(
      'make exactly N children though one is killed at command %i, %s',
      (at, death) =>
        onStage(async ({ backend, client, witness, start, complete }) => {
          let victim: ControllerRunner | undefined
          const mortal = mortalClient(backend.client(), at, death, () => {
            void victim?.stop()
            start()
          })
          victim = start(mortal)
          start()
          const service = { group: '', resource: 'services', namespace: 'default', body: serviceManifest }
          const exposed = await client.request({ verb: 'create', ...service })
          if (!exposed.ok) throw new Error(exposed.status.message)
          const accounts = (): boolean => witness.list('serviceaccounts').length > 0
          await eventually('the default account', accounts, { withinMs: deadlineMs })
          const token = await client.request({
            ...{ verb: 'create', group: '', resource: 'secrets', namespace: 'default' },
            body: tokenSecret as JsonObject,
          })
          if (!token.ok) throw new Error(token.status.message)
          const made = await client.request({
            verb: 'create',
            ...deployments,
            body: deploymentManifest({ replicas: 4 }),
          })
          if (!made.ok) throw new Error(made.status.message)
          await eventually('first rollout complete', () => complete('app:1', 4), { withinMs: deadlineMs })
          await setImage(client, 'app:2')
          await eventually('second rollout complete', () => complete('app:2', 4), { withinMs: deadlineMs })
          expect(witness.excesses).toEqual([])
          expect(witness.list('replicasets.apps')).toHaveLength(2)
          expect([...witness.created.values()]).toEqual([4, 4])
          await expectOneOfEach(witness)
          await eventually('a token in its Secret', () => witness.tokens.size > 0, { withinMs: deadlineMs })
          expect([...witness.tokens]).toHaveLength(1)
          // The revision is written without moving the generation: it counts what people asked for, twice.
          const [deployment] = witness.list('deployments.apps')
          expect(deployment!.metadata.generation).toBe(2)
          expect(deployment!.metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '2' })
        }),
      deadlineMs * 3,
    )

    test.each(options.chaosSeeds.map((seed) => [seed]))(
      'keep N children while pods vanish and runners die, seed %i',
      (seed) =>
        onStage(async ({ backend, client, witness, start, complete }) => {
          const random = seededRandom(seed)
          const resurrect = (): void => {
            let self: ControllerRunner | undefined
            const death = deaths[Math.floor(random() * 2)]!
            const mortal = mortalClient(backend.client(), 1 + Math.floor(random() * 20), death, () => {
              void self?.stop()
              resurrect()
            })
            self = start(mortal)
          }
          resurrect()
          resurrect()
          const replicas = 6
          await client.request({ verb: 'create', ...deployments, body: deploymentManifest({ replicas }) })
          await eventually('first rollout complete', () => complete('app:1', replicas), { withinMs: deadlineMs })
          for (let i = 0; i < 40; i++) {
            const victims = witness.list('pods').filter(isActive)
            const victim = victims[Math.floor(random() * victims.length)]
            if (victim) {
              const gracePeriodSeconds = random() < 0.5 ? 0 : 30
              const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds }
              await client.request({ verb: 'delete', ...pods, name: victim.metadata.name, body })
            }
            await systemClock.sleep(random() * 8)
          }
          await eventually('pods replaced', () => complete('app:1', replicas), { withinMs: deadlineMs })
          expect(witness.excesses).toEqual([])
        }),
      deadlineMs * 3,
    )
  })
}
