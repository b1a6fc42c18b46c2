// A log full of what can happen: objects of several kinds that come, change, go and come again, alone and in batches,
// attempts to schedule, guards, Leases, Event objects, and here and there an event that SQL cannot take.
import { sealRecord } from '@shiplog/events/integrity/checksum'
import { encodeEnvelope } from '@shiplog/events/envelope'
import type { Append, ClusterLog } from '@shiplog/events/event-log'
import { createGroupCommitter } from '@shiplog/events/commit/group-committer'
import { objectSubject } from '@shiplog/events/subjects'

/** A small generator of its own, so that a failing seed can be run again. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const resources = [
  { group: '', resource: 'configmaps', kind: 'ConfigMap', apiVersion: 'v1', namespace: 'default' },
  { group: '', resource: 'pods', kind: 'Pod', apiVersion: 'v1', namespace: 'default' },
  { group: 'apps', resource: 'deployments', kind: 'Deployment', apiVersion: 'apps/v1', namespace: 'shop' },
  { group: '', resource: 'nodes', kind: 'Node', apiVersion: 'v1', namespace: '' },
  {
    group: 'rbac.authorization.k8s.io',
    resource: 'clusterroles',
    kind: 'ClusterRole',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    namespace: '',
  },
] as const

/** Texts that jsonb refuses, each for another reason, and one number that looks as if it would. */
export const poisons: readonly string[] = ['{"a":"\\u0000"}', '{"a":1e200000}', '{"a":"\\ud800"}', '{"a":']

interface Member {
  readonly append: Append
  readonly deleted: boolean
  readonly poison: boolean
}

interface Known {
  sequence: number
  deleted: boolean
}

export interface RandomLog {
  /** Appends about so many events. */
  grow(events: number): Promise<void>
  readonly poisoned: number
}

export function createRandomLog(log: ClusterLog, seed: number): RandomLog {
  const random = randomOf(seed)
  const known = new Map<string, Known>()
  const committer = createGroupCommitter(log.events)
  let serial = 0
  let poisoned = 0

  const envelope = (type: string, previous: number, deleted: boolean): Record<string, string> =>
    encodeEnvelope({
      type,
      schema: 1,
      actor: random(4) === 0 ? 'Jörg % ünï' : 'system:serviceaccount:kube-system:x',
      requestId: `request-${serial}`,
      previous,
      deleted,
      ...(previous > 0 && random(2) === 0 ? { cause: previous } : {}),
    })

  const objectEvent = (): Member => {
    const resource = resources[random(resources.length)]!
    const name = `${resource.resource}.${random(40)}`
    const subject = objectSubject({ ...resource, name })
    const before = known.get(subject)
    const alive = before !== undefined && !before.deleted
    const deleted = alive && random(5) === 0
    serial += 1
    const object = {
      kind: resource.kind,
      apiVersion: resource.apiVersion,
      metadata: {
        name,
        ...(resource.namespace === '' ? {} : { namespace: resource.namespace }),
        uid: `uid-${subject}`,
        generation: serial,
        labels: { serial: String(serial), text: 'ä "quoted" \\ \\u0000-not-nul 漢字' },
      },
      spec: { replicas: random(5), text: 'x'.repeat(random(900)) },
    }
    let payload = JSON.stringify(object)
    const poison = random(60) === 0
    if (poison) {
      payload = `${payload.slice(0, -1)},"poison":${poisons[random(poisons.length)]!}}`
    }
    const type = alive ? (deleted ? 'Deleted' : 'Updated') : 'Created'
    return {
      deleted,
      poison,
      append: sealRecord({
        subject,
        expected: before?.sequence ?? 0,
        headers: envelope(type, before?.sequence ?? 0, deleted),
        payload: Buffer.from(payload),
      }),
    }
  }

  const loose = (subject: string, type: string, payload: object): Append =>
    sealRecord({
      subject,
      expected: undefined,
      headers: envelope(type, 0, false),
      payload: Buffer.from(JSON.stringify(payload)),
    })

  return {
    get poisoned() {
      return poisoned
    },
    async grow(events) {
      for (let done = 0; done < events; ) {
        const group = new Map<string, Member>()
        for (let members = 1 + random(12); members > 0; members -= 1) {
          const event = objectEvent()
          if (!group.has(event.append.subject)) group.set(event.append.subject, event)
        }
        const members = [...group.values()]
        if (random(6) === 0) {
          const basis = {
            append: loose(`dec.default.default.pod-${random(9)}`, 'SchedulingAttempted', { basis: serial }),
            deleted: false,
            poison: false,
          }
          const guard = { append: loose(`guard.ip.${random(9)}`, 'GuardTaken', {}), deleted: false, poison: false }
          members.push(basis, guard)
        }
        const result = await committer.commit(members.map(({ append }) => append))
        if (!result.ok) throw new Error(`conflict on ${result.conflict.subject}`)
        poisoned += members.filter(({ poison }) => poison).length
        for (const [index, { append, deleted }] of members.entries()) {
          known.set(append.subject, { sequence: result.sequences[index]!, deleted })
        }
        done += members.length
        const lease = `lease.kube-node-lease.node-${random(5)}`
        await log.leases.append([
          loose(lease, 'Renewed', {
            kind: 'Lease',
            apiVersion: 'coordination.k8s.io/v1',
            metadata: { name: lease, uid: lease },
            spec: { leaseTransitions: serial },
          }),
        ])
        if (random(3) === 0) {
          const name = `oev.default.event-${random(30)}`
          await log.objectEvents.append([
            loose(name, 'Created', {
              kind: 'Event',
              apiVersion: 'v1',
              metadata: { name, uid: name },
              reason: 'Because',
            }),
          ])
        }
      }
    },
  }
}
