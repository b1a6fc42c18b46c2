import type { Node } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { describe, expect, test } from 'vitest'
import type { PodHost } from './hosts/pod-host.ts'
import type { NodeConfig } from './node-object.ts'
import { createPodTable } from './pod-entry.ts'
import { onPodChange, type PodSyncDeps } from './pod-sync.ts'

const size = { cpu: '1', memory: '1Gi', pods: '1' }
const node = { metadata: { name: 'n' }, status: { allocatable: size } } as unknown as Node

function world(outlivesAgent = false) {
  const said: string[] = []
  const host = {
    outlivesAgent,
    podChanged: () => said.push('host: changed'),
    removePod: () => said.push('host: removed'),
    removeSandbox: () => said.push('host: sandbox removed'),
  } as unknown as PodHost
  const table = createPodTable()
  const deps: PodSyncDeps = {
    table,
    host,
    nodes: new Map([['n', { name: 'n' } as NodeConfig]]),
    nodeOf: () => node,
    rejected: (_entry, { reason }) => void said.push(`rejected: ${reason}`),
    clock: createManualClock(),
    advance: () => void said.push('advance'),
    recover: (_entry, adopted) => void said.push(`recover${adopted ? ', adopted' : ''}`),
    report: () => void said.push('report'),
  }
  const see = (sequence: number, more: JsonObject = {}, deleted = false): void => {
    const { metadata = {}, spec = {}, status = {} } = more
    const object = {
      ...{ apiVersion: 'v1', kind: 'Pod', status },
      metadata: { name: 'web', namespace: 'default', uid: 'u', ...metadata },
      spec: { nodeName: 'n', containers: [{ name: 'main', resources: {} }], ...spec },
    } as unknown as KubeObject
    const address = { group: '', resource: 'pods', groupResource: 'pods', namespace: 'default', name: object.metadata.name }
    const change: ObjectChange = { ...address, sequence, timeMs: 0, type: '', deleted, object }
    onPodChange(deps, change)
  }
  return { see, said, table }
}

describe('a change of a pod', () => {
  test('counts once, in order', () => {
    const { see, said, table } = world()
    see(5)
    see(5)
    see(4)
    see(6)
    expect(said).toEqual(['advance', 'host: changed', 'advance'])
    see(7, {}, true)
    expect([said.at(-1), table.size]).toEqual(['host: removed', 0])
  })

  test('that was bound to a node without room is rejected, once, unless it runs there or goes', () => {
    const full = { status: {}, spec: { containers: [{ name: 'main', resources: { requests: { cpu: '2' } } }] } }
    const { see, said, table } = world()
    see(1, full)
    see(2, full)
    expect(said).toEqual(['rejected: OutOfcpu', 'report', 'host: changed', 'advance'])
    expect(table.get('default/web')!.work).toMatchObject({ finished: true, rejection: { reason: 'OutOfcpu' } })
    const begun = { ...full, status: { startTime: '2026-01-01T00:00:00Z' } }
    const going = { ...full, metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }
    for (const pod of [begun, going]) {
      const { see: show, said: told } = world()
      show(1, pod)
      expect(told).toEqual(['advance'])
    }
  })

  test('counts on its node until it is over', () => {
    const { see, said } = world()
    see(1, { metadata: { name: 'a', uid: 'a' } })
    see(2, { metadata: { name: 'b', uid: 'b' } })
    see(3, { metadata: { name: 'a', uid: 'a' }, status: { phase: 'Succeeded' } })
    see(4, { metadata: { name: 'c', uid: 'c' } })
    expect(said.filter((text) => text.startsWith('rejected'))).toEqual(['rejected: OutOfpods'])
  })

  test('of another node, and of a mirror pod, is nothing to this agent', () => {
    const { see, table } = world()
    see(1, { spec: { nodeName: 'other' } })
    see(2, { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } })
    expect(table.size).toBe(0)
  })

  test('that has another uid ends the pod that had the name', () => {
    const { see, said, table } = world()
    see(1)
    see(2, { metadata: { uid: 'other' } })
    expect(said).toEqual(['advance', 'host: removed', 'advance'])
    expect([table.size, table.byUid('u'), table.byUid('other')?.sequence]).toEqual([1, undefined, 2])
  })

  test('asks the host about what was started before, and about all where containers outlive the agent', () => {
    const started = { status: { podIPs: [{ ip: '10.0.0.1' }] } }
    const simulated = world()
    simulated.see(1, started)
    const real = world(true)
    real.see(1)
    expect([simulated.said, real.said]).toEqual([['recover, adopted'], ['recover']])
  })

  test('that is over leaves only its deletion to be ended', () => {
    const over = { status: { phase: 'Failed' } }
    const there = world()
    there.see(1, over)
    const going = world()
    going.see(1, { ...over, metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })
    expect([there.said, going.said]).toEqual([['host: sandbox removed'], ['host: sandbox removed', 'report']])
  })
})
