// The fake cluster is as strict as a gateway, and its knobs do what they say.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { ObjectChange, ObjectFeed } from '@shiplog/feed/object-feed'
import { describe, expect, test } from 'vitest'
import { createFakeCluster, type FakeCluster } from './fake-cluster.ts'
import { createManualClock, settle } from './manual-clock.ts'

const pods = { group: '', resource: 'pods', namespace: 'default' } as const
const pod = (name: string, spec: JsonObject = {}): ApiRequest => ({
  verb: 'create',
  ...pods,
  body: { metadata: { name }, spec: { containers: [{ name: 'main', image: 'x' }], ...spec } },
})
const binding = (node: string): ApiRequest => ({
  verb: 'create',
  ...pods,
  name: 'a',
  subresource: 'binding',
  body: { metadata: { name: 'a' }, target: { kind: 'Node', name: node } },
})
const cluster = (): FakeCluster => createFakeCluster(createManualClock())

describe('a write', () => {
  test('is defaulted, validated and decided as by a gateway', () => {
    const c = cluster()
    const created = c.must(pod('a'))
    expect(created).toMatchObject({ spec: { restartPolicy: 'Always' }, status: { phase: 'Pending', qosClass: 'BestEffort' } })
    expect(c.execute(pod('a'))).toMatchObject({ ok: false, code: 409 })
    expect(c.execute(pod('b', { containers: [] }))).toMatchObject({ ok: false, code: 422 })
    expect(c.execute(pod('b', { contaners: [] }))).toMatchObject({ ok: false, code: 400 })
    const stale = { ...created, metadata: { ...created.metadata, resourceVersion: '99' } }
    expect(c.execute({ verb: 'update', ...pods, name: 'a', body: stale })).toMatchObject({ ok: false, code: 409 })
    expect(c.changes.map(({ type }) => type)).toEqual(['PodCreated'])
  })

  test('binds a pod once, after which it takes its grace to go', () => {
    const c = cluster()
    c.must(pod('a'))
    c.must(binding('n'))
    expect(c.execute(binding('m'))).toMatchObject({ ok: false, code: 409 })
    c.must({ verb: 'delete', ...pods, name: 'a' })
    expect(c.get('pods', 'default/a')?.metadata.deletionGracePeriodSeconds).toBe(30)
    c.must({ verb: 'delete', ...pods, name: 'a', body: { gracePeriodSeconds: 0 } })
    expect(c.get('pods', 'default/a')).toBeUndefined()
    expect(c.execute({ ...pod('a'), onlyNew: true })).toMatchObject({ ok: false, code: 409 })
    expect(c.changes.map(({ type }) => type)).toEqual(['PodCreated', 'PodBound', 'PodDeletionRequested', 'PodDeleted'])
  })

  test('takes the addresses that it allocates, and gives them back', () => {
    const c = cluster()
    const services = { group: '', resource: 'services', namespace: 'default' } as const
    const service = (name: string): ApiRequest => ({
      verb: 'create',
      ...services,
      body: { metadata: { name }, spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }] } },
    })
    c.must(service('a'))
    expect(c.execute(service('b'))).toMatchObject({ ok: false, code: 422 })
    c.must({ verb: 'delete', ...services, name: 'a' })
    c.must(service('b'))
  })

  test('by a replica that has not seen what another decided is refused', () => {
    const c = cluster()
    c.must(pod('a'))
    c.must(pod('b'))
    const basis = c.sequence
    const once = (round: string) => ({ matter: 'set/x', round })
    const remove = (name: string, round: string) => c.execute({ verb: 'delete', ...pods, name, once: once(round), basis })
    expect(remove('a', 'one').ok).toBe(true)
    expect(remove('b', 'other')).toMatchObject({ ok: false, code: 409 })
    expect(remove('b', 'one').ok).toBe(true)
  })
})

describe('knobs', () => {
  function following(feed: ObjectFeed): { readonly seen: string[]; readonly ended: Promise<unknown>; end(): void } {
    const seen: string[] = []
    const abort = new AbortController()
    const name = ({ name: one }: ObjectChange): string => one
    const ended = (async () => {
      for await (const { changes } of feed.follow(['pods'], abort.signal)) seen.push(...changes.map(name))
    })().catch((error: Error) => error.message)
    return { seen, ended, end: () => abort.abort() }
  }

  test('a feed gives what is there, then changes; it can be held and broken', async () => {
    const c = cluster()
    c.must(pod('a'))
    const reader = following(c.feed)
    await settle()
    c.must(pod('b'))
    await settle()
    expect(reader.seen).toEqual(['a', 'b'])
    c.holdFeed(true)
    c.must(pod('c'))
    await settle()
    expect(reader.seen).toEqual(['a', 'b'])
    c.holdFeed(false)
    await settle()
    expect(reader.seen).toEqual(['a', 'b', 'c'])
    c.breakFeed()
    expect(await reader.ended).toBe('the feed broke')
    const next = following(c.feed)
    await settle()
    next.end()
    await next.ended
    expect(next.seen).toEqual(['a', 'b', 'c'])
  })

  test('a client’s request may get lost, and so may its answer', async () => {
    const c = cluster()
    const fates = ['lose-request', 'lose-answer'] as const
    const client = c.client({ fate: (_, index) => fates[index] ?? 'deliver' })
    await expect(client.request(pod('a'))).rejects.toThrow('connection reset')
    await expect(client.request(pod('b'))).rejects.toThrow('connection reset')
    await client.request(pod('c'))
    expect(c.list('pods').map(({ metadata }) => metadata.name)).toEqual(['b', 'c'])
  })

  test('a test may answer in place of the cluster, and place objects past every rule', async () => {
    const c = cluster()
    const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 503 } as const
    c.intercept = ({ verb }) => (verb === 'delete' ? { ok: false, code: 503, status } : undefined)
    c.put('pods', { kind: 'Pod', metadata: { name: 'a', namespace: 'default' }, spec: { nodeName: 'n', containers: [] } })
    expect(await c.client().request({ verb: 'delete', ...pods, name: 'a' })).toMatchObject({ code: 503 })
    expect(c.requests).toHaveLength(1)
    c.remove('pods', 'default/a')
    expect(c.list('pods')).toEqual([])
  })
})
