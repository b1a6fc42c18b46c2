import type { Lease } from '@shiplog/api/generated/types/coordination-v1'
import { describe, expect, test } from 'vitest'
import { type ComponentHolder, componentLease, readComponentLease, vitalAnnotations } from './component-lease.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')
const holder = (life: string, startedAtMs: number, complaint?: string): ComponentHolder => ({
  component: 'kube-scheduler',
  replica: 'one',
  holder: life,
  durationSeconds: 4,
  annotations: vitalAnnotations({
    startedAtMs,
    failing: complaint === undefined ? [] : [{ name: 'log', ok: false, reason: complaint }],
  }),
})
const write = (before: Lease | undefined, own: ComponentHolder, nowMs: number): Lease =>
  componentLease(before, own, nowMs) as Lease

describe('the Lease of a component', () => {
  test('tells who holds it, since when, and that all is well', () => {
    const lease = write(undefined, holder('a', startMs), startMs + 1_000)
    expect(lease.metadata).toMatchObject({ name: 'kube-scheduler-one', namespace: 'kube-system' })
    expect(readComponentLease(lease)).toEqual({
      leaseName: 'kube-scheduler-one',
      leaseUid: '',
      component: 'kube-scheduler',
      holder: 'a',
      restarts: 0,
      startedAtMs: startMs,
      renewedAtMs: startMs + 1_000,
      version: '',
      address: '',
      complaint: '',
    })
  })

  test('renewed by the same life counts no restart and keeps when it was acquired', () => {
    const first = write(undefined, holder('a', startMs), startMs)
    const second = write(first, holder('a', startMs, 'it is full'), startMs + 9_000)
    expect(second['spec']).toMatchObject({ acquireTime: first['spec'].acquireTime, leaseTransitions: 0 })
    expect(readComponentLease(second)).toMatchObject({ complaint: 'log: it is full', renewedAtMs: startMs + 9_000 })
  })

  test('taken over by the next life counts one restart and remembers the life before, as long as this one lasts', () => {
    let lease = write(undefined, holder('a', startMs), startMs + 5_000)
    lease = write(lease, holder('b', startMs + 8_000), startMs + 8_000)
    lease = write(lease, holder('b', startMs + 8_000), startMs + 9_000)
    expect(readComponentLease(lease)).toMatchObject({
      restarts: 1,
      startedAtMs: startMs + 8_000,
      lifeBefore: { startedAtMs: startMs, endedAtMs: startMs + 5_000 },
    })
  })

  test('keeps what others wrote to it', () => {
    const lease = write(undefined, holder('a', startMs), startMs)
    lease.metadata.annotations!['shares'] = 'x'
    lease.metadata.labels!['team'] = 'y'
    expect(write(lease, holder('a', startMs), startMs).metadata).toMatchObject({
      annotations: { shares: 'x' },
      labels: { team: 'y', 'shiplog.dev/heartbeat': 'kube-scheduler' },
    })
  })

  test('says where it serves, for addresses of both families', () => {
    for (const address of ['10.0.0.1', 'fd00::1']) {
      const annotations = vitalAnnotations({ startedAtMs: startMs, failing: [], serves: { address, port: 6443 } })
      const lease = write(undefined, { ...holder('a', startMs), annotations }, startMs)
      expect(readComponentLease(lease)?.serves).toEqual({ address, port: 6443 })
    }
  })

  test('is told from any other Lease, and read whatever people have written into it', () => {
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }
    const other = { ...lease, metadata: { name: 'kube-scheduler' }, spec: {} }
    expect(readComponentLease(other as unknown as Lease)).toBeUndefined()
    const odd = {
      ...lease,
      metadata: {
        name: 'x',
        labels: { 'shiplog.dev/heartbeat': 'x' },
        annotations: { 'shiplog.dev/started-at': 'yesterday', 'shiplog.dev/serves': 'nowhere' },
      },
    }
    expect(readComponentLease(odd as unknown as Lease)).toEqual({
      leaseName: 'x',
      leaseUid: '',
      component: 'x',
      holder: '',
      restarts: 0,
      startedAtMs: 0,
      renewedAtMs: 0,
      version: '',
      address: '',
      complaint: '',
    })
  })
})
