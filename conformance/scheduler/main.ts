// `npm run conformance:scheduler [-- FIRST LAST]`: the unmodified kube-scheduler decides generated situations on a gateway of
// ours, and what it decided is put on record (recorded.json). `npm test` compares our decisions with that, without Go.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startBench } from '../src/suite.ts'
import { runScheduler } from '../upstream/component.ts'
import { Life, namespaceNames, type Outcome, schedulerName } from './life.ts'
import { createOurJudge } from './our-judge.ts'
import { type PackedRecord, recordText, scriptDigest, unpackRecord } from './record.ts'
import { create } from './requests.ts'
import { createUpstreamJudge, send, type UpstreamJudge } from './upstream-judge.ts'

const file = join(import.meta.dirname, 'recorded.json')
const decisionsPerLife = 50
const livesDefault = 40

/** Those that would change what the script says, or need a controller that is not there. */
const admissionOff = 'ServiceAccount,Priority,DefaultTolerationSeconds,StorageObjectInUseProtection,DefaultStorageClass,TaintNodesByCondition'
const cleared = [
  ...['pods', 'nodes', 'services', 'persistentvolumeclaims', 'persistentvolumes'],
  ...['replicasets.apps', 'poddisruptionbudgets.policy', 'storageclasses.storage.k8s.io', 'csinodes.storage.k8s.io'],
]
const namespaced = new Set(['pods', 'services', 'persistentvolumeclaims', 'replicasets.apps', 'poddisruptionbudgets.policy'])

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const [first = 1, last = livesDefault] = process.argv.slice(2).map(Number)
const recorded = new Map(
  unpackRecord(JSON.parse(readFileSync(file, 'utf8')) as PackedRecord).map((life) => [life.seed, life]),
)

const running = await startBench('embedded', [
  ...['--controllers', 'clusterrole-aggregation-controller', '--simulated-nodes', '0'],
  ...['--disable-admission-plugins', admissionOff],
])
const { http } = running
const upstream = await runScheduler(running.cluster.kubeconfig, schedulerName, say)

/** Takes away all that a life left. */
async function clear(): Promise<void> {
  for (const groupResource of cleared) {
    const [resource, ...group] = groupResource.split('.')
    for (const namespace of namespaced.has(groupResource) ? namespaceNames : [undefined]) {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 }
      const at = { group: group.join('.'), resource: resource!, ...(namespace ? { namespace } : {}) }
      await send(http, { verb: 'deletecollection', ...at, body })
    }
  }
}

async function playLife(seed: number, judge: UpstreamJudge): Promise<number> {
  const life = new Life(seed)
  const ours = createOurJudge()
  const outcomes: Outcome[] = []
  let differing = 0
  const beginning = life.begin()
  await judge.prepare(beginning)
  ours.prepare(beginning)
  for (let number = 0; number < decisionsPerLife; number++) {
    const situation = life.next()
    const outcome = await judge.decide(situation)
    outcomes.push(outcome)
    const differences = ours.compare(situation, outcome)
    for (const line of differences) say(`  ${seed} ${line}`)
    if (differences.length > 0) differing++
    const after = life.settle(situation, outcome)
    await judge.prepare(after)
    ours.prepare(after)
  }
  recorded.set(seed, { seed, script: scriptDigest(seed, outcomes), outcomes })
  return differing
}

try {
  for (const name of namespaceNames) {
    if (name !== 'default') await send(http, create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  }
  let total = 0
  for (let seed = first; seed <= last; seed++) {
    await clear()
    const judge = createUpstreamJudge(http)
    try {
      const differing = await playLife(seed, judge)
      total += differing
      say(`life ${seed}: ${decisionsPerLife - differing} of ${decisionsPerLife} the same`)
    } finally {
      judge.close()
    }
    writeFileSync(file, recordText([...recorded.values()].sort((a, b) => a.seed - b.seed)))
  }
  say(`${total} differ`)
} catch (error) {
  say(upstream.output().slice(-3_000))
  throw error
} finally {
  await upstream.stop()
  await running.close()
}
