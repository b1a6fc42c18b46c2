// kill -9 of the whole process tree at random moments while kubectl and 16 API clients write. Afterwards every
// acknowledged write is there at its resourceVersion, no acknowledged deletion came back, resourceVersions never went
// back, every Deployment has exactly its pods, and the log verifies.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectSubject } from '@shiplog/events/subjects'
import { type SeededRandom, seededRandom } from '@shiplog/testing/seeded-random'
import { eventually } from '@shiplog/testing/eventually'
import { createWriteLedger, type Found, type WriteLedger } from '@shiplog/testing/write-ledger'
import { afterAll, describe, expect, test } from 'vitest'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { runCommand } from '../src/command.ts'
import { createHttpClient, type HttpAnswer, type HttpClient } from '../src/http.ts'
import { readKubeconfig } from '../src/kubeconfig.ts'
import { excessPods } from './pods-in-log.ts'
import type { LogKind } from './real-log.ts'
import { seed, tell } from './size.ts'
import { readStoppedLog } from './stopped-log.ts'
import { cli, startVictim, type Victim } from './victim.ts'

const namespace = 'default'
const clients = 16
/** The first clients own a Deployment each. */
const deployments = 4
const configMapsPerClient = 3
/** How long clients write between two kills. */
const writeMsMin = 150
const writeMsMax = 1_200
/** One kill in so many comes while the cluster starts. */
const killsAtStart = 5
const settleTimeoutMs = 60_000

type Resource = 'configmaps' | 'pods' | 'deployments'

const groupOf = (resource: Resource): string => (resource === 'deployments' ? 'apps' : '')
const collection = (resource: Resource): string =>
  `${resource === 'deployments' ? '/apis/apps/v1' : '/api/v1'}/namespaces/${namespace}/${resource}`
const subjectOf = (resource: Resource, name: string): string =>
  objectSubject({ group: groupOf(resource), resource, namespace, name })

const stepOf = (object: any): string | undefined => object.metadata.labels?.step

const containers = [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '1m' } } }]

interface Owned {
  readonly resource: Resource
  readonly name: string
}

function bodyOf({ resource, name }: Owned, step: string, replicas: number): Record<string, unknown> {
  const metadata = { name, labels: { step } }
  if (resource === 'configmaps') return { metadata, data: { step } }
  if (resource === 'pods') return { metadata, spec: { containers, terminationGracePeriodSeconds: 0 } }
  return {
    metadata,
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers, terminationGracePeriodSeconds: 0 } },
    },
  }
}

/** One life of the cluster, as clients know it. */
interface Life {
  readonly http: HttpClient
  readonly kubeconfig: string
  /** True from the kill on. */
  over: boolean
}

export function describeKills(log: LogKind, kills: number): void {
  describe(`a cluster on the ${log} log, killed ${kills} times while it is written to`, () => {
    const parent = mkdtempSync(join(tmpdir(), `shiplog-kills-${log}-`))
    let attempts = 0
    let victim: Victim | undefined
    afterAll(async () => {
      await victim?.kill()
      rmSync(parent, { recursive: true, force: true })
    })

    test(
      'keeps what it acknowledged, exactly',
      async () => {
        // A second attempt begins with nothing, as the first.
        const dataDir = join(parent, `data-${++attempts}`)
        const { kubectl } = await provideKubectl()
        const random = seededRandom(seed)
        const ledger = createWriteLedger()
        const violations: string[] = []
        const unexpected: string[] = []
        const owned = ownedObjects()
        let serial = 0
        const nextStep = (): string => `s${++serial}`
        /** The highest value that each client knows to be in the shared object, and the highest that may be. */
        const shared = Array.from({ length: clients }, () => ({ acknowledged: 0, tried: 0 }))
        const replicasOf = new Map<string, number>()
        let readsBack = 0

        const start = async (): Promise<Life> => {
          victim = startVictim({ dataDir, log, simulatedNodes: 3 })
          await victim.ready
          const http = createHttpClient(await readKubeconfig(kubectl, victim.kubeconfig))
          return { http, kubeconfig: victim.kubeconfig, over: false }
        }

        const settleAll = async (life: Life): Promise<void> => {
          const before = ledger.highest
          const found = new Map<string, Found>()
          for (const resource of ['configmaps', 'pods', 'deployments'] as const) {
            const { code, json, text } = await life.http.send({ path: collection(resource) })
            if (code !== 200) throw new Error(`list of ${resource}: ${code} ${text}`)
            if (Number(json.metadata.resourceVersion) < before) {
              violations.push(
                `list of ${resource} at ${json.metadata.resourceVersion}, though ${before} was acknowledged`,
              )
            }
            for (const item of json.items) {
              if (item.metadata.name === 'shared') {
                for (const [index, { acknowledged, tried }] of shared.entries()) {
                  const value = Number(item.data?.[`c${index}`] ?? 0)
                  if (value < acknowledged || value > tried) {
                    violations.push(
                      `shared: client ${index} has ${value}, acknowledged ${acknowledged}, tried ${tried}`,
                    )
                  }
                }
              }
              const step = stepOf(item)
              const id = subjectOf(resource, item.metadata.name)
              if (step !== undefined) found.set(id, { step, sequence: Number(item.metadata.resourceVersion) })
              if (resource === 'deployments') replicasOf.set(item.metadata.name, item.spec.replicas)
            }
          }
          for (const subject of ledger.subjects) {
            readsBack++
            const violation = ledger.settle(subject, found.get(subject), !subject.includes('configmaps'))
            if (violation) violations.push(violation)
          }
        }

        const outcomeOf = async (request: Promise<HttpAnswer>): Promise<HttpAnswer | undefined> => {
          const answer = await request.catch(() => undefined)
          // An answer of 500 and above leaves open what happened.
          return answer && answer.code < 500 && answer.json !== undefined ? answer : undefined
        }

        /** One client: it writes its own objects, one after the other, and its field of the shared one. */
        const runClient = async (life: Life, index: number): Promise<void> => {
          const mine = owned[index]!
          while (!life.over) {
            if (random.chance(0.15)) {
              const value = ++shared[index]!.tried
              const answer = await outcomeOf(
                life.http.send({
                  method: 'PATCH',
                  path: `${collection('configmaps')}/shared`,
                  headers: { 'content-type': 'application/merge-patch+json' },
                  body: { data: { [`c${index}`]: String(value) } },
                }),
              )
              if (!answer) return
              if (answer.code === 200) shared[index]!.acknowledged = value
              else unexpected.push(`patch of shared: ${answer.code} ${answer.json.message}`)
              continue
            }
            const object = random.pick(mine)
            const subject = subjectOf(object.resource, object.name)
            const known = ledger.known(subject)
            const path = collection(object.resource)
            const goes = known !== undefined && random.chance(object.resource === 'deployments' ? 0.05 : 0.25)
            const step = goes ? undefined : nextStep()
            const replicas = known && !random.chance(0.5) ? replicasOf.get(object.name)! : 1 + random.below(4)
            const write = ledger.begin({ subject, step })
            const put = object.resource === 'configmaps' && known !== undefined && random.chance(0.5)
            const answer = await outcomeOf(
              goes
                ? life.http.send({
                    method: 'DELETE',
                    path: `${path}/${object.name}`,
                    body: { gracePeriodSeconds: 0, propagationPolicy: 'Background' },
                  })
                : known === undefined
                  ? life.http.send({ method: 'POST', path, body: bodyOf(object, step!, replicas) })
                  : put
                    ? life.http.send({
                        method: 'PUT',
                        path: `${path}/${object.name}`,
                        body: {
                          ...bodyOf(object, step!, 0),
                          metadata: {
                            name: object.name,
                            labels: { step },
                            ...(random.chance(0.5) ? { resourceVersion: String(known.sequence) } : {}),
                          },
                        },
                      })
                    : life.http.send({
                        method: 'PATCH',
                        path: `${path}/${object.name}`,
                        headers: { 'content-type': 'application/merge-patch+json' },
                        body: {
                          metadata: { labels: { step } },
                          ...(object.resource === 'configmaps' ? { data: { step } } : {}),
                          ...(object.resource === 'deployments'
                            ? {
                                spec: {
                                  replicas,
                                  template: { metadata: { annotations: { round: String(random.below(3)) } } },
                                },
                              }
                            : {}),
                        },
                      }),
            )
            if (!answer) {
              write.unknown()
              return
            }
            if (answer.code < 300) {
              if (object.resource === 'deployments' && step) replicasOf.set(object.name, answer.json.spec.replicas)
              write.acknowledged(step === undefined ? undefined : Number(answer.json.metadata.resourceVersion))
            } else {
              write.refused()
              unexpected.push(`${object.resource} ${object.name}: ${answer.code} ${answer.json.message}`)
              // A deleted object may be held for a moment by a finalizer of the garbage collector.
              await new Promise((resolve) => setTimeout(resolve, 20))
            }
          }
        }

        /** kubectl as one more client: it makes, changes and removes ConfigMaps of its own. */
        const runKubectl = async (life: Life): Promise<void> => {
          const version = ['-o', 'jsonpath={.metadata.resourceVersion}']
          while (!life.over) {
            const name = `kubectl-${random.below(4)}`
            const subject = subjectOf('configmaps', name)
            const known = ledger.known(subject)
            const goes = known !== undefined && random.chance(0.4)
            const step = goes ? undefined : nextStep()
            const write = ledger.begin({ subject, step })
            const manifest = {
              apiVersion: 'v1',
              kind: 'ConfigMap',
              metadata: { name, labels: { step } },
              data: { step },
            }
            const patch = JSON.stringify({ metadata: { labels: { step } }, data: { step } })
            const args = goes
              ? ['delete', 'configmap', name, '--wait=false']
              : known === undefined
                ? ['create', '-f', '-', ...version]
                : random.chance(0.5)
                  ? ['patch', 'configmap', name, '--type=merge', '-p', patch, ...version]
                  : ['apply', '--server-side', '--force-conflicts', '-f', '-', ...version]
            const result = await runCommand(kubectl, [...args, '--kubeconfig', life.kubeconfig], {
              ...(args.includes('-') ? { stdin: JSON.stringify(manifest) } : {}),
              timeoutMs: 20_000,
            })
            if (result.code === 0) write.acknowledged(goes ? undefined : Number(result.stdout.trim()))
            else {
              write.unknown()
              if (!life.over) unexpected.push(`${result.command}: ${result.stderr.trim()}`)
              return
            }
          }
        }

        const verify = async (): Promise<void> => {
          const result = await runCommand(process.execPath, [cli, 'verify', '--data-dir', dataDir], {
            timeoutMs: 60_000,
          })
          if (result.code !== 0) violations.push(`shiplog verify: ${result.stderr.slice(-500)}`)
        }

        let life = await start()
        await life.http.send({ method: 'POST', path: collection('configmaps'), body: { metadata: { name: 'shared' } } })
        let verified = 0
        for (let kill = 1; kill <= kills; kill++) {
          if (kill > 1) {
            if (kill % killsAtStart === 0) {
              const early = startVictim({ dataDir, log, simulatedNodes: 3 })
              victim = early
              await new Promise((resolve) => setTimeout(resolve, 100 + random.below(1_200)))
              await early.kill()
              continue
            }
            life = await start()
            await settleAll(life)
          }
          const writing = [...Array.from({ length: clients }, (_, index) => runClient(life, index)), runKubectl(life)]
          await new Promise((resolve) => setTimeout(resolve, writeMsMin + random.below(writeMsMax - writeMsMin)))
          await eventually('as many writes as clients', () => ledger.counts.acknowledged > kill * clients)
          life.over = true
          await victim!.kill()
          await Promise.all(writing)
          life.http.close()
          if (kill % 3 === 0) {
            verified++
            await verify()
          }
        }

        life = await start()
        await settleAll(life)
        violations.push(...(await untilDeploymentsStand(life)))
        life.http.close()
        expect(await victim!.stop()).toBe(0)
        victim = undefined
        verified++
        await verify()
        const records = await readStoppedLog(dataDir)
        violations.push(...ledger.violations, ...ledger.judge(records, stepOf), ...excessPods(records))
        tell(
          figures(
            log,
            kills,
            ledger,
            readsBack,
            records.length,
            verified,
            violations.length,
            unexpected.length,
            random,
          ),
        )
        expect(violations.slice(0, 20)).toEqual([])
        expect(unexpected.slice(0, 20)).toEqual([])
        expect(ledger.counts.acknowledged).toBeGreaterThan(kills * clients)
      },
      120_000 + kills * 20_000,
    )
  })
}

const figures = (
  log: LogKind,
  kills: number,
  { counts }: WriteLedger,
  readsBack: number,
  records: number,
  verified: number,
  violations: number,
  unexpected: number,
  random: SeededRandom,
): string =>
  `${log}, ${kills} kills, seed ${random.seed}: ${counts.acknowledged} writes acknowledged, ${counts.unknown} without an answer, ` +
  `${counts.refused} refused; ${readsBack} objects read back, ${records} records, verified ${verified} times; ` +
  `${violations} violations, ${unexpected} unexpected answers`

function ownedObjects(): readonly (readonly Owned[])[] {
  return Array.from({ length: clients }, (_, index) => {
    const mine: Owned[] = [{ resource: 'pods', name: `pod-${index}` }]
    for (let i = 0; i < configMapsPerClient; i++) mine.push({ resource: 'configmaps', name: `config-${index}-${i}` })
    if (index < deployments) mine.push({ resource: 'deployments', name: `web-${index}` })
    return mine
  })
}

/** Waits until every Deployment has exactly its pods, and looks again a little later. */
async function untilDeploymentsStand(life: Life): Promise<string[]> {
  const endMs = Date.now() + settleTimeoutMs
  let wrong: string[] = ['nothing was looked at']
  let calm = 0
  while (calm < 3 && Date.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    const list = async (resource: Resource): Promise<any[]> =>
      (await life.http.send({ path: collection(resource) })).json.items
    const [pods, owners] = [await list('pods'), await list('deployments')]
    const living = new Set(owners.map((owner) => owner.metadata.name))
    wrong = []
    for (const { metadata, spec, status } of owners) {
      const own = pods.filter((pod) => pod.metadata.labels?.app === metadata.name)
      const ready = own.filter((pod) => pod.status.phase === 'Running' && !pod.metadata.deletionTimestamp)
      if (own.length !== spec.replicas || ready.length !== spec.replicas || status.readyReplicas !== spec.replicas) {
        wrong.push(`${metadata.name}: ${own.length} pods, ${ready.length} of them run, ${spec.replicas} wanted`)
      }
    }
    const orphans = pods.filter((pod) => pod.metadata.labels?.app && !living.has(pod.metadata.labels.app))
    if (orphans.length > 0) wrong.push(`${orphans.length} pods of deleted Deployments`)
    calm = wrong.length === 0 ? calm + 1 : 0
  }
  return wrong
}
