// What every read model promises, as tests: they run against PostgreSQL and against the twin in memory.
import { createHash } from 'node:crypto'
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PositionMoved, type ReadModel, type StreamName } from './read-model.ts'

/** What a model holds, as text that can be compared. */
export interface Look {
  /** `events 7` */
  readonly positions: readonly string[]
  /** `events 7 configmaps default/a ConfigMapCreated <sha>`; a `-` before the sha of a deletion. */
  readonly versions: readonly string[]
  /** `configmaps default/a 7` */
  readonly objects: readonly string[]
  /** Of the events. */
  readonly completeUntilMs: number | undefined
}

export interface ReadModelSubject {
  open(): Promise<void>
  dispose(): Promise<void>
  /** Another projector over the same tables. */
  model(): ReadModel
  clear(): Promise<void>
  /** Moves a position as another projector would that believes to own the stream, too. */
  moveBehindItsBack(stream: StreamName, position: number): Promise<void>
  look(): Promise<Look>
}

export const shaOf = (payload: Uint8Array): string => createHash('sha256').update(payload).digest('hex').slice(0, 12)

const identity = { incarnation: 'first', lastSequence: 1_000 }

/** A record of a ConfigMap, or of another subject. */
function record(sequence: number, name: string, more: { deleted?: boolean; subject?: string } = {}): LogRecord {
  const deleted = more.deleted ?? false
  const subject = more.subject ?? `evt.core.configmaps.default.${name}`
  const { headers, payload } = sealRecord({
    subject,
    expected: 0,
    headers: encodeEnvelope({
      type: deleted ? 'ConfigMapDeleted' : 'ConfigMapUpdated',
      schema: 1,
      actor: 'somebody',
      requestId: `r${sequence}`,
      previous: 0,
      deleted,
    }),
    payload: Buffer.from(JSON.stringify({ kind: 'ConfigMap', metadata: { name, uid: name, generation: sequence } })),
  })
  return { subject, sequence, timeMs: 1_700_000_000_000 + sequence * 10, headers, payload }
}

const lease = (sequence: number, name: string, deleted = false): LogRecord =>
  record(sequence, name, { deleted, subject: `lease.kube-node-lease.${name}` })

const versionOf = ({ sequence, payload, subject }: LogRecord, deleted = false): string =>
  `events ${sequence} configmaps default/${subject.split('.').at(-1)} ConfigMap${deleted ? 'Deleted -' : 'Updated '}${shaOf(payload)}`

export function readModelContract(name: string, subject: ReadModelSubject): void {
  describe(`ReadModel contract: ${name}`, () => {
    beforeAll(() => subject.open(), 60_000)
    afterAll(() => subject.dispose())
    beforeEach(() => subject.clear())

    /** Applies records as one projector's life. */
    const applied = (records: readonly LogRecord[], stream: StreamName = 'events', of = identity): Promise<string> =>
      subject.model().withStream(stream, of, (claimed) => claimed.apply(records, records.at(-1)!.sequence))

    test('holds every version and the present, and moves the position with them', async () => {
      const records = [record(3, 'a'), record(4, 'b'), record(5, 'a'), record(6, 'b', { deleted: true })]
      expect(await applied(records)).toBe('done')
      expect(await subject.look()).toEqual({
        positions: ['events 6'],
        versions: [...records.slice(0, 3).map((one) => versionOf(one)), versionOf(records[3]!, true)],
        objects: ['configmaps default/a 5'],
        completeUntilMs: records[3]!.timeMs - 1,
      })
    })

    test('goes on where the last life ended, and what is in already is not there twice', async () => {
      await applied([record(3, 'a')])
      let from: number | undefined
      await subject.model().withStream('events', identity, async (claimed) => {
        from = claimed.position
        await claimed.apply([record(4, 'a')], 9)
        expect(claimed.position).toBe(9)
      })
      expect(from).toBe(3)
      expect(await subject.look()).toMatchObject({ positions: ['events 9'], objects: ['configmaps default/a 4'] })
    })

    test('lets one projector at a time write a stream, and others write other streams', async () => {
      const second = subject.model()
      const outcome = await subject.model().withStream('events', identity, async () => {
        expect(await second.withStream('events', identity, () => Promise.reject(new Error('never')))).toBe('taken')
        expect(await second.withStream('leases', identity, () => Promise.resolve())).toBe('done')
      })
      expect(outcome).toBe('done')
      expect(await second.withStream('events', identity, () => Promise.resolve())).toBe('done')
    })

    test('gives a stream back when the work fails', async () => {
      const work = subject.model().withStream('events', identity, () => Promise.reject(new Error('broken')))
      await expect(work).rejects.toThrow('broken')
      expect(await applied([record(1, 'a')])).toBe('done')
    })

    test('refuses the batch of a projector whose position another has moved, and holds nothing of it', async () => {
      await applied([record(3, 'a')])
      const before = await subject.look()
      const late = subject.model().withStream('events', identity, async (claimed) => {
        await subject.moveBehindItsBack('events', 7)
        await claimed.apply([record(4, 'b')], 4)
      })
      await expect(late).rejects.toBeInstanceOf(PositionMoved)
      const sayingMore = subject.model().withStream('events', identity, async (claimed) => {
        await subject.moveBehindItsBack('events', 8)
        await claimed.completeUntil(1_800_000_000_000)
      })
      await expect(sayingMore).rejects.toBeInstanceOf(PositionMoved)
      expect(await subject.look()).toEqual({ ...before, positions: ['events 8'] })
    })

    test.each([
      ['another log', { incarnation: 'second', lastSequence: 1_000 }],
      ['a log that was cut', { incarnation: 'first', lastSequence: 4 }],
    ])('forgets what came from %s, of that stream alone', async (_what, now) => {
      await applied([record(5, 'a')])
      await applied([lease(9, 'node')], 'leases')
      let from: number | undefined
      await subject.model().withStream('events', now, async (claimed) => {
        from = claimed.position
      })
      expect(from).toBe(0)
      const { positions, versions, objects, completeUntilMs } = await subject.look()
      expect(positions).toEqual(['events 0', 'leases 9'])
      expect(versions.map((version) => version.split(' ')[0])).toEqual(['leases'])
      expect(objects).toEqual(['leases.coordination.k8s.io kube-node-lease/node 9'])
      expect(completeUntilMs).toBeUndefined()
    })

    test('keeps the last version alone of streams that age, and none of what is deleted', async () => {
      await applied([lease(1, 'a'), lease(2, 'b'), lease(3, 'a')], 'leases')
      await applied([lease(4, 'b', true)], 'leases')
      const { versions, objects } = await subject.look()
      expect(versions.map((version) => version.split(' ').slice(0, 2).join(' '))).toEqual(['leases 3'])
      expect(objects).toEqual(['leases.coordination.k8s.io kube-node-lease/a 3'])
    })

    test('forgets what a snapshot of a stream that ages does not have any more', async () => {
      await applied([lease(1, 'a'), lease(2, 'b'), lease(3, 'c')], 'leases')
      await subject.model().withStream('leases', identity, async (claimed) => {
        await claimed.keepOnly([1], 2)
      })
      expect((await subject.look()).objects).toEqual([
        'leases.coordination.k8s.io kube-node-lease/a 1',
        'leases.coordination.k8s.io kube-node-lease/c 3',
      ])
    })

    test('knows up to when it is complete, and that never falls', async () => {
      await subject.model().withStream('events', identity, async (claimed) => {
        await claimed.apply([record(1, 'a')], 1)
        await claimed.completeUntil(1_700_000_005_000)
        await claimed.completeUntil(1_700_000_004_000)
        await claimed.apply([record(2, 'a')], 2)
      })
      expect(await subject.look()).toMatchObject({ positions: ['events 2'], completeUntilMs: 1_700_000_005_000 })
    })
  })
}
