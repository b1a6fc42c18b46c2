// What must hold in the end of a cluster of real processes, whatever happened to them.
import { createHash } from 'node:crypto'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { LogRecord } from '@shiplog/events/event-log'
import { describeFinding, verifyLog } from '@shiplog/events/integrity/verify-log'
import type { Apart } from './apart.ts'
import type { Workload } from './apart-workload.ts'
import { doublePods, excessPods } from './pods-in-log.ts'

const convergeTimeoutMs = 90_000
const sqlTimeoutMs = 60_000
const calmLooks = 5

/** Waits until every Deployment has exactly its pods, all ready, and nothing else is there; several looks in a row. */
export async function converged(apart: Apart, expected: { deployments: number; replicas: number }): Promise<void> {
  let calm = 0
  await apart.until(
    `${expected.deployments} Deployments have ${expected.replicas} pods`,
    convergeTimeoutMs,
    async () => {
      const [pods, sets, deployments] = await Promise.all([
        apart.list('pods'),
        apart.list('replicasets', 'apps'),
        apart.list('deployments', 'apps'),
      ])
      const wanted = expected.deployments * expected.replicas
      const ready = pods.filter(
        (pod) => pod['status']?.containerStatuses?.[0]?.ready && !pod.metadata.deletionTimestamp,
      )
      const active = sets.filter((set) => set['spec'].replicas > 0)
      const right =
        pods.length === wanted &&
        ready.length === wanted &&
        active.length === expected.deployments &&
        active.every((set) => set['status']?.readyReplicas === expected.replicas) &&
        deployments.every(({ status, metadata }: any) => {
          const isSeen = status?.observedGeneration === metadata.generation
          return isSeen && status.replicas === expected.replicas && status.readyReplicas === expected.replicas
        })
      calm = right ? calm + 1 : 0
      if (!right) throw new Error(`${pods.length} pods, ${ready.length} ready; ${differences(sets, pods).join('; ')}`)
      return calm >= calmLooks
    },
  )
}

/** ReplicaSets that have not what they are asked for, and what they say of themselves. */
const differences = (sets: readonly KubeObject[], pods: readonly KubeObject[]): string[] =>
  sets.flatMap(({ metadata, spec, status }: any) => {
    const own = pods.filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === metadata.uid)
    if (own.length === spec.replicas && status?.readyReplicas === (spec.replicas || undefined)) return []
    const going = own.filter((pod) => pod.metadata.deletionTimestamp).length
    const { name, generation, resourceVersion } = metadata
    const has = `${own.length} of ${spec.replicas} pods, ${going} of them going`
    return [`${name} has ${has}, generation ${generation} at ${resourceVersion}, and says ${JSON.stringify(status)}`]
  })

export interface Figures {
  readonly violations: readonly string[]
  readonly records: number
  readonly podNames: number
  readonly objects: number
}

/** Judges the log, and compares SQL with what each gateway serves, byte for byte. */
export async function judge(apart: Apart, workload: Workload): Promise<Figures> {
  const violations = [...workload.violations, ...workload.ledger.violations]
  const log = await apart.connectLog()
  const records: LogRecord[] = []
  for await (const page of log.events.read()) records.push(...page)
  violations.push(...workload.ledger.judge(records, (object) => object.metadata.labels?.step), ...excessPods(records))
  const { names, doubles } = doublePods(records)
  violations.push(...doubles)
  const report = await verifyLog(log.events)
  violations.push(...report.findings.map(describeFinding))

  const end = records.at(-1)!.sequence
  await apart.until('SQL has seen the whole log', sqlTimeoutMs, async () => {
    const { rows } = await apart.pool.query<{ position: string }>(
      'select position from shiplog.streams where stream = 1',
    )
    return Number(rows[0]?.position) >= end
  })
  const { rows } = await apart.pool.query<{ path: string; sequence: string; hash: string }>(`
    select case split_part(group_resource, '.', 2) when '' then '/api/v1' else '/apis/apps/v1' end
           || '/namespaces/' || namespace || '/' || split_part(group_resource, '.', 1) || '/' || name as path,
           sequence, encode(sha256(v1.served(payload, sequence)), 'hex') as hash
    from v1.objects
    where namespace = 'default' and group_resource in ('pods', 'configmaps', 'deployments.apps', 'replicasets.apps')`)
  const known = new Set(rows.map(({ path }) => path))
  for (const gateway of apart.gateways) {
    for (const collection of ['/api/v1/namespaces/default/pods', '/apis/apps/v1/namespaces/default/replicasets']) {
      const { json } = await gateway.send({ path: collection })
      for (const { metadata } of json.items) {
        const path = `${collection}/${metadata.name}`
        if (!known.has(path)) violations.push(`${path} at ${metadata.resourceVersion} is shown and not in SQL`)
      }
    }
    for (let index = 0; index < rows.length; index += 16) {
      await Promise.all(
        rows.slice(index, index + 16).map(async ({ path, sequence, hash }) => {
          const answer = await gateway.send({ path })
          // A body ends with a newline, which is not stored.
          const served = createHash('sha256').update(answer.text.replace(/\n$/, '')).digest('hex')
          // What has changed since is compared by the log, not by this look.
          if (answer.code === 200 && answer.json.metadata.resourceVersion !== sequence) return
          if (served !== hash) violations.push(`${path} at ${sequence} is another in SQL: ${answer.text.slice(0, 200)}`)
        }),
      )
    }
  }
  return { violations, records: records.length, podNames: names, objects: rows.length }
}
