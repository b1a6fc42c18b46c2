// What the log tells of pods that controllers and schedulers made: nothing twice, nothing too much.
import type { LogRecord } from '@shiplog/events/event-log'

const isDeleted = ({ headers }: LogRecord): boolean => headers['Shiplog-Deleted'] === '1'
const parsed = ({ payload }: LogRecord): any => JSON.parse(Buffer.from(payload).toString('utf8'))
const podSubjects = 'evt.core.pods.'

/** Pods that were made though their ReplicaSet had all that it was ever asked for. */
export function excessPods(records: readonly LogRecord[]): string[] {
  const asked = new Map<string, number>()
  const active = new Map<string, Set<string>>()
  const excesses: string[] = []
  for (const record of records) {
    const isPod = record.subject.startsWith(podSubjects)
    if (!isPod && !record.subject.startsWith('evt.apps.replicasets.')) continue
    const object = parsed(record)
    const { uid } = object.metadata
    if (!isPod) {
      asked.set(uid, Math.max(asked.get(uid) ?? 0, object.spec.replicas))
      continue
    }
    const owner = object.metadata.ownerReferences?.find((reference: any) => reference.kind === 'ReplicaSet')?.uid
    if (!owner) continue
    let pods = active.get(owner)
    if (!pods) active.set(owner, (pods = new Set()))
    const isOver = isDeleted(record) || object.metadata.deletionTimestamp !== undefined
    const isNew = !pods.has(uid)
    if (isOver || ['Succeeded', 'Failed'].includes(object.status?.phase)) pods.delete(uid)
    else pods.add(uid)
    if (isNew && pods.size > (asked.get(owner) ?? 0)) {
      excesses.push(`${object.metadata.name} at ${record.sequence}: ${pods.size} active pods of ${asked.get(owner)}`)
    }
  }
  return excesses
}

/** How pods came to be: how many names, and each name that was used twice or pod that was bound twice. */
export function doublePods(records: readonly LogRecord[]): { readonly names: number; readonly doubles: string[] } {
  const uids = new Map<string, string>()
  const nodes = new Map<string, string>()
  const doubles: string[] = []
  for (const record of records) {
    if (!record.subject.startsWith(podSubjects)) continue
    const { metadata, spec } = parsed(record)
    // Mirror pods are replaced under their names; what has no owner among the sets was made by hand.
    if (!metadata.ownerReferences?.some((reference: any) => reference.kind === 'ReplicaSet')) continue
    const known = uids.get(record.subject)
    if (known !== undefined && known !== metadata.uid) {
      doubles.push(`the name of ${metadata.name} was used again at ${record.sequence}`)
    }
    uids.set(record.subject, metadata.uid)
    const node = nodes.get(metadata.uid)
    if (node !== undefined && spec.nodeName !== node) {
      doubles.push(`${metadata.name} was on ${node} and at ${record.sequence} on ${spec.nodeName}`)
    }
    if (spec.nodeName !== undefined) nodes.set(metadata.uid, spec.nodeName)
  }
  return { names: uids.size, doubles }
}
