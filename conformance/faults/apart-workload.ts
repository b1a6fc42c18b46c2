// What goes on in a cluster of real processes while they die: Deployments are scaled, rolled out, and lose pods; ConfigMaps
// are written by clients that keep account of what they were promised.
import type { ApiClient, ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { objectSubject } from '@shiplog/events/subjects'
import { systemClock as clock } from '@shiplog/runtime/clock'
import type { SeededRandom } from '@shiplog/testing/seeded-random'
import { createWriteLedger, type Found, type WriteLedger } from '@shiplog/testing/write-ledger'

export interface WorkloadOptions {
  readonly client: ApiClient
  readonly random: SeededRandom
  readonly deployments: number
  /** Of each Deployment, in the end. */
  readonly replicas: number
  /** Clients that write ConfigMaps. */
  readonly writers: number
}

export interface Workload {
  readonly ledger: WriteLedger
  /** What was done to the Deployments. */
  readonly counts: { scaled: number; rolledOut: number; deleted: number }
  /** Ends the changes, with every Deployment asked for the replicas of the end. */
  end(): Promise<void>
  /** Violations that were found on the way. */
  readonly violations: readonly string[]
}

const namespace = 'default'
const changeEveryMs = 400
const answerTimeoutMs = 60_000
const deploymentAddress = { group: 'apps', resource: 'deployments', namespace } as const
const configMaps = { group: '', resource: 'configmaps', namespace } as const
const mergePatch = 'application/merge-patch+json' as const

/** Asks until there is an answer: a fault in between is what is tested. Only for what may be done twice. */
async function insist(client: ApiClient, request: ApiRequest): Promise<ApiResult> {
  const endMs = clock.nowMs() + answerTimeoutMs
  for (;;) {
    const result = await client.request(request).catch(() => undefined)
    if (result && (result.ok || (result.code < 500 && result.code !== 429))) return result
    if (clock.nowMs() > endMs) throw new Error(`no answer to ${request.verb} ${request.resource} ${request.name ?? ''}`)
    await clock.sleep(100)
  }
}

/** Makes the Deployments and begins to change them. */
export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  const { client, random, deployments, replicas } = options
  const ledger = createWriteLedger()
  const violations: string[] = []
  const counts = { scaled: 0, rolledOut: 0, deleted: 0 }
  let ending = false
  let serial = 0

  const names = Array.from({ length: deployments }, (_, index) => `web-${index}`)
  for (const name of names) {
    const labels = { app: name }
    const container = { name: 'c', image: 'app:1', resources: { requests: { cpu: '10m' } } }
    const spec = { containers: [container], terminationGracePeriodSeconds: 0 }
    const body = {
      metadata: { name },
      spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    }
    const made = await insist(client, { ...deploymentAddress, verb: 'create', body })
    if (!made.ok && made.code !== 409) throw new Error(made.status.message)
  }

  const patch = (name: string, spec: object): Promise<ApiResult> =>
    insist(client, { ...deploymentAddress, verb: 'patch', name, patchType: mergePatch, body: { spec } })

  async function changeOne(): Promise<void> {
    const name = random.pick(names)
    const what = random.below(10)
    if (what < 5) {
      counts.scaled++
      await patch(name, { replicas: Math.round(replicas * (0.6 + 0.08 * random.below(6))) })
    } else if (what < 7) {
      counts.rolledOut++
      await patch(name, { template: { metadata: { annotations: { round: String(++serial) } } } })
    } else {
      const found = await insist(client, {
        group: '',
        resource: 'pods',
        namespace,
        verb: 'list',
        query: { labelSelector: `app=${name}` },
      })
      const pods = found.ok ? (found.object['items'] as KubeObject[]) : []
      if (pods.length === 0) return
      counts.deleted++
      const pod = random.pick(pods).metadata.name
      await insist(client, { group: '', resource: 'pods', namespace, verb: 'delete', name: pod })
    }
  }

  /**
   * What became of a write without an answer. It may still be on its way, in a process that is paused: so each write names
   * the version that it changes, and a write of ours over the same version decides before the object is looked at.
   */
  async function settle(name: string, before: Found, body: JsonObject): Promise<Found> {
    const decided = await insist(
      client,
      before === undefined
        ? { ...configMaps, verb: 'create', body }
        : {
            ...configMaps,
            verb: 'patch',
            name,
            patchType: mergePatch,
            body: {
              metadata: { resourceVersion: String(before.sequence), annotations: { decided: String(++serial) } },
            },
          },
    )
    const read = decided.ok ? decided : await insist(client, { ...configMaps, verb: 'get', name })
    if (!read.ok) return undefined
    const { labels, resourceVersion } = read.object.metadata
    return { step: labels!['step']!, sequence: Number(resourceVersion) }
  }

  /** One client: it writes its own objects, one after the other, and settles what was left open before it goes on. */
  async function write(index: number): Promise<void> {
    while (!ending) {
      const name = `config-${index}-${random.below(3)}`
      const subject = objectSubject({ group: '', resource: 'configmaps', namespace, name })
      const known = ledger.known(subject)
      const step = known !== undefined && random.chance(0.25) ? undefined : `s${index}-${++serial}`
      const body = { metadata: { name, labels: { step } }, data: { step } }
      const pending = ledger.begin({ subject, step })
      const resourceVersion = String(known?.sequence)
      const result = await client
        .request(
          known === undefined
            ? { ...configMaps, verb: 'create', body }
            : step === undefined
              ? { ...configMaps, verb: 'delete', name, body: { preconditions: { resourceVersion } } }
              : {
                  ...configMaps,
                  verb: 'patch',
                  name,
                  patchType: mergePatch,
                  body: { ...body, metadata: { ...body.metadata, resourceVersion } },
                },
        )
        .catch(() => undefined)
      if (result?.ok) pending.acknowledged(step === undefined ? undefined : result.sequence)
      else if (result && result.code < 500 && result.code !== 429) {
        pending.refused()
        violations.push(`a write of ${name} was refused: ${result.code} ${result.status.message}`)
      } else {
        pending.unknown()
        const violation = ledger.settle(subject, await settle(name, known, body), true)
        if (violation !== undefined) violations.push(violation)
      }
      await clock.sleep(20 + random.below(60))
    }
  }

  const work = [
    (async () => {
      while (!ending) {
        await changeOne()
        await clock.sleep(changeEveryMs)
      }
      for (const name of names) await patch(name, { replicas })
    })(),
    ...Array.from({ length: options.writers }, (_, index) => write(index)),
  ]
  // Faults are met where the end is awaited.
  for (const each of work) each.catch(() => undefined)

  return {
    ledger,
    counts,
    violations,
    async end() {
      ending = true
      await Promise.all(work)
    },
  }
}
