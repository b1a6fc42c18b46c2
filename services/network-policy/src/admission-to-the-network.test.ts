// A new pod waits for its rules, and what becomes of it when nobody writes them.
import { describe, expect, test } from 'vitest'
import type { FeedBatch, ObjectFeed } from '@shiplog/feed/object-feed'
import type { PacketFilter } from '@shiplog/node/packet-filter/packet-filter'
import type { Command } from '@shiplog/node/packet-filter/ruleset'
import { systemClock } from '@shiplog/runtime/clock'
import { silentLogger } from '@shiplog/runtime/logger'
import { createMetricsRegistry } from '@shiplog/runtime/metrics'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { admitTimeoutMs, createNetworkPolicies } from './network-policy.ts'
import { aPod, aPolicy } from './testing/world.ts'

/** Batches that the test hands over one by one. */
function feedByHand(): { readonly feed: ObjectFeed; give(...objects: readonly ReturnType<typeof aPod | typeof aPolicy>[]): void } {
  const batches: FeedBatch[] = []
  let more = Promise.withResolvers<void>()
  return {
    feed: {
      async *follow(_resources, signal) {
        signal.addEventListener('abort', () => more.resolve())
        for (;;) {
          const batch = batches.shift()
          if (batch) yield batch
          else await more.promise
          if (signal.aborted) return
        }
      },
    },
    give(...objects) {
      const changes = objects.map((object) => ({
        ...{ object, deleted: false },
        groupResource: object.kind === 'Pod' ? 'pods' : 'networkpolicies.networking.k8s.io',
      }))
      batches.push({ changes, sequence: 1, synced: true } as unknown as FeedBatch)
      more.resolve()
      more = Promise.withResolvers()
    },
  }
}

const starting = () => {
  const pod = aPod('x', 'a', 0)
  return { ...pod, status: { ...pod.status, podIPs: [] } } as ReturnType<typeof aPod>
}
const address = '10.244.0.2'

function start(filter: PacketFilter, clock = systemClock) {
  const { feed, give } = feedByHand()
  const node = { name: 'one', podInterface: 'cni0', filter }
  const deps = { feed, clock, log: silentLogger, metrics: createMetricsRegistry(), nodes: [node] }
  return { policies: createNetworkPolicies(deps), give }
}

describe('a pod that just got its address', () => {
  test('is let in when the kernel has its rules, though its status does not tell the address yet', async () => {
    const applied: Command[] = []
    const { policies, give } = start({ apply: async (commands) => void applied.push(...commands), list: async () => undefined })
    give(aPolicy('x', 'p', { podSelector: {}, policyTypes: ['Ingress'] }))
    await policies.start()
    const admitted = policies.admit({ uid: 'uid-x-a', node: 'one', key: 'x/a' }, [address])
    // The agent heard of the pod before us.
    give(starting())
    await admitted
    const elements = applied.flatMap((command) => (JSON.stringify(command).includes(`"${address}"`) ? JSON.stringify(command) : []))
    expect(elements.some((text) => text.includes('known-pods'))).toBe(true)
    expect(elements.some((text) => text.includes('ingress-pods'))).toBe(true)
    // Its status does not take the address back.
    const before = applied.length
    give(starting())
    await systemClock.sleep(50)
    expect(applied.slice(before)).toEqual([])
    await policies.stop()
  })

  test('is known by its mirror when it is a static one, and only by one of its name', async () => {
    const applied: Command[] = []
    const { policies, give } = start({ apply: async (commands) => void applied.push(...commands), list: async () => undefined })
    const mirror = (name: string) => {
      const pod = aPod('x', name, 0)
      const metadata = { ...pod.metadata, annotations: { 'kubernetes.io/config.mirror': 'its-own' } }
      return { ...pod, metadata, spec: { ...pod.spec, nodeName: 'one' }, status: { ...pod.status, podIPs: [] } } as ReturnType<typeof aPod>
    }
    give(mirror('other'))
    await policies.start()
    let isIn = false
    const admitted = policies.admit({ uid: 'its-own', node: 'one', key: 'x/a' }, [address]).then(() => (isIn = true))
    give(mirror('another'))
    await systemClock.sleep(50)
    expect(isIn).toBe(false)
    give(mirror('a'))
    await admitted
    expect(JSON.stringify(applied)).toContain(`"${address}"`)
    await policies.stop()
  })

  test('is turned away after a while when the kernel takes no rules', async () => {
    const clock = createManualClock()
    let refuses = false
    const filter: PacketFilter = {
      apply: async () => {
        if (refuses) throw new Error('no buffer space')
      },
      list: async () => undefined,
    }
    const { policies, give } = start(filter, clock)
    give(starting())
    const started = policies.start()
    for (let turn = 0; turn < 20; turn++) await clock.advance(50)
    await started
    refuses = true
    const admitted = policies.admit({ uid: 'uid-x-a', node: 'one', key: 'x/a' }, [address]).then(() => 'in', (error: Error) => error.message)
    for (let turn = 0; turn < 12; turn++) await clock.advance(admitTimeoutMs / 10)
    expect(await admitted).toBe('the rules of NetworkPolicies for the pod are not in place after 10 s')
    expect(policies.health()[0]).toMatchObject({ name: 'policies-of-one' })
    await policies.stop()
  })
})
