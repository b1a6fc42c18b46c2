// Thousands of real decisions, made while nodes come, go, are tainted and fill up, computed again from the log alone.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningCluster, startCluster } from '@shiplog/all-in-one/cluster'
import type { ApiRequest } from '@shiplog/api/api-client'
import { header } from '@shiplog/events/envelope'
import type { LogRecord } from '@shiplog/events/event-log'
import { decodeRecord } from '@shiplog/feed/record-codec'
import { silentLogger } from '@shiplog/runtime/logger'
import { defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findNatsServer } from '../cluster/find-nats-server.ts'
import { explainPod } from '@shiplog/scheduling/replay/explain-decision'
import { type HistorySource, logSource } from '../history/history-source.ts'
import { parseConfigurationFile } from '@shiplog/scheduling/framework/configuration-file'
import { createProfiles } from '@shiplog/scheduling/framework/profiles'
import { replayAll } from './replay.ts'
import { readAttempts } from '@shiplog/scheduling/replay/attempt-log'

const attemptsWanted = 2_000
const nodesMade = 30
const podsPerWave = 120

/** The configuration of the scheduler's second life. */
const changed = parseConfigurationFile('plugins: [{name: NodeResourcesBalancedAllocation, weight: 7}]').profiles

const start = (dataDir: string, log: 'embedded' | 'jetstream', schedulerProfiles = [defaultConfiguration] as typeof changed): Promise<RunningCluster> =>
  startCluster({
    schedulerProfiles,
    dataDir,
    port: 0,
    log,
    simulatedNodes: 4,
    logger: silentLogger,
    findNatsServer: findNatsServer(() => undefined),
  })

/** The same numbers every time. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const appOf = (index: number) => ({ matchLabels: { app: `a${index % 5}` } })
const awayFrom = (labelSelector: object): object => ({
  requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector }],
})

/** Pods of all sorts in waves; between them nodes are lost, tainted, cordoned, labelled and made again, pods deleted. */
async function workload({ gateway }: RunningCluster, firstWave: number, endWave: number): Promise<void> {
  const client = gateway.clientFor({ name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] })
  const random = randomOf(firstWave + 7)
  const ask = async (request: Omit<ApiRequest, 'group'>): Promise<void> => {
    const result = await client.request({ group: '', ...request } as ApiRequest)
    if (!result.ok && result.code !== 404 && result.code !== 409)
      throw new Error(`${request.verb} ${request.resource}: ${result.status.message}`)
  }
  const addNode = async (index: number): Promise<void> => {
    const name = `made-${index}`
    await ask({
      verb: 'create',
      resource: 'nodes',
      body: { metadata: { name, labels: { zone: `z${index % 3}`, ...(index % 4 === 0 ? { disk: 'ssd' } : {}) } } },
    })
    await ask({
      verb: 'patch',
      resource: 'nodes',
      subresource: 'status',
      name,
      patchType: 'application/merge-patch+json',
      body: {
        status: {
          allocatable: { cpu: `${4 + (index % 5)}`, memory: `${8 + (index % 7)}Gi`, pods: '40' },
          conditions: [{ type: 'Ready', status: 'True', reason: 'Made', message: '' }],
        },
      },
    })
    await ask({
      verb: 'patch',
      resource: 'nodes',
      name,
      patchType: 'application/merge-patch+json',
      body: { spec: { taints: null } },
    })
  }
  const patchNode = (index: number, spec: object): Promise<void> =>
    ask({
      verb: 'patch',
      resource: 'nodes',
      name: `made-${index}`,
      patchType: 'application/merge-patch+json',
      body: { spec },
    })
  const podSpec = (index: number): object => ({
    containers: [
      {
        name: 'c',
        image: 'x',
        resources: {
          requests: {
            cpu: `${50 + random(8) * 25}m`,
            memory: `${64 + random(6) * 32}Mi`,
            ...(index % 97 === 0 ? { cpu: '500' } : {}),
            // The important ones hardly fit beside others.
            ...(index % 41 === 0 ? { cpu: '3500m' } : {}),
          },
        },
        ...(index % 29 === 0 ? { ports: [{ containerPort: 80, hostPort: 8_080 }] } : {}),
      },
    ],
    ...(index % 23 === 0 ? { nodeSelector: { disk: index % 46 === 0 ? 'ssd' : 'tape' } } : {}),
    ...(index % 7 === 0 ? { tolerations: [{ key: 'spot', operator: 'Exists' }] } : {}),
    ...(index % 41 === 0 ? { priorityClassName: 'system-cluster-critical' } : {}),
    ...(index % 17 === 0
      ? {
          topologySpreadConstraints: [
            { maxSkew: 2, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: appOf(index) },
            { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: appOf(index + 1) },
          ],
        }
      : {}),
    ...(index % 13 === 0 && index % 11 !== 0 ? { affinity: { podAntiAffinity: awayFrom(appOf(index)) } } : {}),
    ...(index % 11 === 0
      ? {
          affinity: {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 50, preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: ['z1'] }] } },
              ],
            },
          },
        }
      : {}),
  })
  await Promise.all(Array.from({ length: nodesMade }, (_, index) => addNode(index)))
  let made = firstWave * podsPerWave
  for (let wave = firstWave; wave < endWave; wave++) {
    const pods = Array.from({ length: podsPerWave }, () => made++)
    const trouble = [
      () => ask({ verb: 'delete', resource: 'nodes', name: `made-${random(nodesMade)}` }),
      () => patchNode(random(nodesMade), { taints: [{ key: 'spot', value: 'yes', effect: 'NoSchedule' }] }),
      () => patchNode(random(nodesMade), { taints: [{ key: 'spot', value: 'no', effect: 'PreferNoSchedule' }] }),
      () => patchNode(random(nodesMade), { unschedulable: wave % 2 === 0 }),
      () => addNode(random(nodesMade)),
    ]
    await Promise.all([
      ...pods.map((index) =>
        ask({
          verb: 'create',
          resource: 'pods',
          namespace: 'default',
          body: { metadata: { name: `p${index}`, labels: appOf(index).matchLabels }, spec: podSpec(index) },
        }),
      ),
      ...trouble.map((cause) => cause()),
      // Some of those that are there, and some that are just being decided about.
      ...Array.from({ length: 80 }, () =>
        ask({
          verb: 'delete',
          resource: 'pods',
          namespace: 'default',
          name: `p${random(made)}`,
          query: { gracePeriodSeconds: '0' },
        }),
      ),
    ])
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
  await new Promise((resolve) => setTimeout(resolve, 1_500))
}

function shiplog(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), ...args])
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
  })
}

/** The log with one thing told otherwise. */
const altered = (source: HistorySource, change: (record: LogRecord) => LogRecord): HistorySource => ({
  ...source,
  async *read(options) {
    for await (const records of source.read(options))
      yield records.map((one) => (one.kind === 'damaged' ? one : decodeRecord(change(one.record))))
  },
})

describe.each(['embedded', 'jetstream'] as const)('a replay of the log %s', (log) => {
  let directory: string
  let cluster: RunningCluster
  let source: HistorySource

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'shiplog-replay-'))
    cluster = await start(join(directory, 'data'), log)
    await workload(cluster, 0, 11)
    // Another life of the scheduler, which numbers its decisions anew, and is configured otherwise.
    await cluster.stop()
    cluster = await start(join(directory, 'data'), log, changed)
    await workload(cluster, 11, 18)
    source = logSource(cluster.log.events, () => Promise.resolve())
  }, 180_000)

  afterAll(async () => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test(`at least ${attemptsWanted} attempts come out as recorded, failures among them`, async () => {
    const report = await replayAll(source)
    process.stderr.write(
      `replay: ${report.attempts} attempts, ${report.failures} failures, ${report.identical} identical, ${report.different.length} different, ${report.unknown.length} unknown\n`,
    )
    expect(report.unknown.slice(0, 3).map(({ why }) => why)).toEqual([])
    expect(report.different.slice(0, 3)).toEqual([])
    expect(report.identical).toBe(report.attempts)
    expect(report.attempts).toBeGreaterThanOrEqual(attemptsWanted)
    expect(report.failures).toBeGreaterThan(50)
    const { attempts } = await readAttempts(source)
    expect(new Set(attempts.map(({ input }) => input.configuration)).size).toBe(2)
    expect(attempts.filter(({ recorded }) => recorded.preemption).length).toBeGreaterThan(5)
  }, 60_000)

  test('what was recorded plays no part: a falsified record is found, and only it', async () => {
    let falsified = 0
    const report = await replayAll(
      altered(source, (record) => {
        const decision = record.headers[header.decision]
        if (decision === undefined || (falsified !== 0 && falsified !== record.sequence)) return record
        if (falsified === 0 && record.sequence < 500) return record
        falsified = record.sequence
        const fields = JSON.parse(decodeURIComponent(decision))
        return {
          ...record,
          headers: {
            ...record.headers,
            [header.decision]: JSON.stringify({ ...fields, feasible: fields.feasible + 1 }),
          },
        }
      }),
    )
    expect(report.different.map(({ attempt }) => attempt.sequence)).toEqual([falsified])
    expect(report.identical).toBe(report.attempts - 1)
  }, 60_000)

  test('another configuration lists exactly the decisions that differ', async () => {
    // What the second life weighed otherwise, and nothing of the first.
    const flipped = await replayAll(source, createProfiles(parseConfigurationFile(JSON.stringify(defaultConfiguration)).profiles))
    const [profile] = createProfiles([defaultConfiguration]).all
    expect(flipped.unknown).toEqual([])
    expect(flipped.different.length).toBeGreaterThan(0)
    for (const { attempt } of flipped.different) expect(attempt.input.configuration).not.toBe(profile!.hash)

    const packing = createProfiles(parseConfigurationFile('plugins: [{name: NodeResourcesBalancedAllocation, weight: 40}]').profiles)
    const report = await replayAll(source, packing)
    expect(report.unknown).toEqual([])
    expect(report.different.length).toBeGreaterThan(0)
    expect(report.identical + report.sameChoice + report.different.length).toBe(report.attempts)
    for (const { attempt, recomputed } of report.different) expect(recomputed.node).not.toBe(attempt.recorded.node)
    // The plain explanation of the same pod at the same place agrees with the list.
    const [first] = report.different
    const [namespace, name] = first!.attempt.input.pod.split('/') as [string, string]
    const explained = await explainPod(source, { namespace, name }, first!.attempt.sequence, { profiles: packing })
    expect(explained.node).toBe(first!.recomputed.node)
    expect(explained.asRecorded).toBe(false)
  }, 60_000)

  test('the command says the same of the running cluster and of a copy of its data, and its exit code tells', async () => {
    const data = join(directory, 'data')
    const live = await shiplog('replay', '--data-dir', data)
    expect([live.code, live.stderr]).toEqual([0, ''])
    expect(live.stdout).toMatch(/^(\d+) attempts \(\d+ found no node\), \1 identical, 0 different\n$/)
    await cluster.stop()
    const copy = join(directory, 'copy')
    cpSync(data, copy, { recursive: true })
    const copied = await shiplog('replay', '--data-dir', copy)
    expect(copied).toMatchObject({ code: 0, stderr: '' })
    const file = join(directory, 'scheduler.yaml')
    writeFileSync(
      file,
      `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}, {name: memory, weight: 1}]}}
`,
    )
    const other = await shiplog('replay', '--data-dir', copy, '--config', file)
    expect(other.code).toBe(1)
    expect(other.stdout).toMatch(/recorded: +made-\d+ \(\d+\)\n +recomputed: +made-\d+ \(\d+\)\n/)
    expect(other.stdout).toMatch(/same choice for other reasons, [1-9]\d* different\n$/)
  }, 90_000)
})
