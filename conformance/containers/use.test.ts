// What nodes of containers say of their use, with real kubectl: beside the kernel's own count of a program of known load.
import assert from 'node:assert/strict'
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../src/context.ts'
import { busyboxImage, type ContainerCluster, type Json, podObject, startContainerCluster, whyNoContainers } from './container-cluster.ts'

const why = await whyNoContainers()
const mebibyte = 1 << 20
const loadMilli = 100
const blockMebibytes = 64
/** What `kubectl top` may differ from the truth by. */
const tolerance = 0.05

/** Timestamps of the API are whole seconds. */
const timestampMs = 1_000
const recordMs = 100

/** The kernel's own count of what a container has used, written down again and again: beside the runtime and the agent. */
function recordKernelCount(podUid: string, containerID: string): Disposable & { readonly beganMs: number; rate(fromMs: number, toMs: number): number } {
  const [file] = ['cpuacct/', ''].flatMap((controller) =>
    globSync(`/sys/fs/cgroup/${controller}shiplog-*/worker-0/kubepods/**/pod${podUid}/${containerID}/{cpuacct.usage,cpu.stat}`),
  )
  assert.ok(file, 'the container has a cgroup')
  const nanoseconds = (): number => {
    const text = readFileSync(file, 'latin1')
    return file.endsWith('cpu.stat') ? Number(/usage_usec (\d+)/.exec(text)?.[1]) * 1_000 : Number(text)
  }
  const records = [{ atMs: Date.now(), value: nanoseconds() }]
  const timer = setInterval(() => records.push({ atMs: Date.now(), value: nanoseconds() }), recordMs)
  const at = (ms: number) => records.find(({ atMs }) => atMs >= ms) ?? records.at(-1)!
  return {
    beganMs: records[0]!.atMs,
    rate(fromMs, toMs) {
      const [from, to] = [at(fromMs), at(toMs)]
      return (to.value - from.value) / ((to.atMs - from.atMs) / 1_000)
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

describe.skipIf(why !== undefined)('the use of nodes of containers', () => {
  let cluster: ContainerCluster

  beforeAll(async () => {
    cluster = await startContainerCluster()
    await cluster.apply(
      podObject('load', {
        containers: [
          {
            ...{ name: 'main', image: busyboxImage },
            command: ['sh', '-c', `dd if=/dev/zero of=/block/file bs=1M count=${blockMebibytes}; while :; do :; done`],
            resources: { limits: { cpu: `${loadMilli}m`, memory: '128Mi' } },
            volumeMounts: [{ name: 'block', mountPath: '/block' }, { name: 'disk', mountPath: '/disk' }],
          },
        ],
        volumes: [{ name: 'block', emptyDir: { medium: 'Memory' } }, { name: 'disk', emptyDir: {} }],
      }),
    )
    // Seen while other things are looked at: what they hold is measured every ten seconds.
    const greedy = (name: string, spec: Json, container: Json): Json =>
      podObject(name, { restartPolicy: 'Always', containers: [{ name: 'main', image: busyboxImage, ...container }], ...spec })
    const write = (file: string): Json => ({ command: ['sh', '-c', `dd if=/dev/zero of=${file} bs=1M count=5; exec sleep 600`] })
    await cluster.apply(
      greedy('fills', { volumes: [{ name: 'small', emptyDir: { sizeLimit: '2Mi' } }] }, { ...write('/small/file'), volumeMounts: [{ name: 'small', mountPath: '/small' }] }),
      greedy('writes', {}, { ...write('/file'), resources: { limits: { 'ephemeral-storage': '3Mi' } } }),
      greedy('modest', {}, { ...write('/file'), resources: { limits: { 'ephemeral-storage': '30Mi' } } }),
    )
    await cluster.k('wait', '--for=condition=Ready', 'pod/load', '--timeout=90s')
    await cluster.k('exec', 'load', '--', 'sh', '-c', 'dd if=/dev/zero of=/disk/file bs=1M count=3; dd if=/dev/zero of=/written bs=1M count=2')
  }, 240_000)
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
  }, 120_000)

  const raw = (path: string): Promise<string> => cluster.k('get', '--raw', `/api/v1/nodes/worker-0/proxy${path}`)
  const summary = async (): Promise<Json> => JSON.parse(await raw('/stats/summary'))
  const ofPod = async (): Promise<Json> => (await summary()).pods.find(({ podRef }: Json) => podRef.name === 'load')
  /** The kernel's own word, in nanoseconds of all cores. */
  const counted = async (): Promise<number> => {
    const file = '/sys/fs/cgroup/cpuacct/cpuacct.usage'
    const text = await cluster.k('exec', 'load', '--', 'sh', '-c', `cat ${file} 2>/dev/null || sed -n 's/usage_usec \\(.*\\)/\\1000/p' /sys/fs/cgroup/cpu.stat`)
    return Number(text)
  }

  test('the summary counts as the kernel does: processors, memory, volumes, what was written, network', async () => {
    const [low, pod, high] = [await counted(), await eventually(async () => {
      const found = await ofPod()
      assert.ok(found.volume.find(({ name }: Json) => name === 'disk').usedBytes >= 3 * mebibyte)
      assert.ok(found.containers[0].rootfs.usedBytes >= 2 * mebibyte)
      return found
    }), await counted()]
    const [container] = pod.containers
    expect(container.cpu.usageCoreNanoSeconds).toBeLessThanOrEqual(high)
    expect(container.cpu.usageCoreNanoSeconds).toBeGreaterThan(low - 2e9)
    const [volume] = pod.volume.filter(({ name }: Json) => name === 'block')
    expect(volume.usedBytes).toBe(blockMebibytes * mebibyte)
    expect(pod['ephemeral-storage'].usedBytes).toBeGreaterThan(5 * mebibyte)
    expect(pod['ephemeral-storage'].usedBytes).toBeLessThan(blockMebibytes * mebibyte)
    expect(pod.network.name).toBe('eth0')
    expect(pod.process_stats.process_count).toBeGreaterThanOrEqual(2)
    const { node } = await summary()
    expect(node.nodeName).toBe('worker-0')
    expect(node.memory.availableBytes + node.memory.workingSetBytes).toBeGreaterThan(node.memory.workingSetBytes)
    expect(node.fs.capacityBytes).toBeGreaterThan(node.fs.availableBytes)
    expect(node.runtime.imageFs.usedBytes).toBeGreaterThan(mebibyte)
    expect(node.rlimit.maxpid).toBeGreaterThan(node.rlimit.curproc)
  }, 150_000)

  test('the same is there as metrics, and pods as the agent sees them', async () => {
    const resource = await raw('/metrics/resource')
    for (const line of [
      /^node_cpu_usage_seconds_total [\d.]+$/m,
      /^container_cpu_usage_seconds_total\{container="main",pod="load",namespace="default"\} [\d.]+$/m,
      /^pod_memory_working_set_bytes\{pod="load",namespace="default"\} 6\d{7}$/m,
      /^resource_scrape_error 0$/m,
    ]) expect(resource).toMatch(line)
    expect(await raw('/metrics/cadvisor')).toMatch(/^container_memory_working_set_bytes\{container="main",.*namespace="default",pod="load"\} \d+$/m)
    expect(await raw('/metrics')).toMatch(/^kubelet_running_pods \d+$/m)
    expect(JSON.parse(await raw('/pods')).items.map(({ metadata }: Json) => metadata.name)).toContain('load')
    expect(await raw('/healthz')).toBe('ok')
  }, 60_000)

  test('kubectl top tells what a program of known load uses, within five percent', async () => {
    const top = async (): Promise<Json> => JSON.parse(await cluster.k('get', '--raw', '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/load'))
    const { metadata, status } = await cluster.get('pod', 'load')
    using kernel = recordKernelCount(metadata.uid, status.containerStatuses[0].containerID.split('://')[1])
    // All of the window has been recorded.
    let found: Json
    let window: readonly [fromMs: number, toMs: number] = [0, 0]
    await eventually(async () => {
      found = await top()
      const toMs = Date.parse(found.timestamp) + timestampMs / 2
      window = [toMs - Number.parseFloat(found.window) * 1_000, toMs]
      assert.ok(window[0] >= kernel.beganMs, found.window)
    })
    const truth = kernel.rate(...window)
    const { cpu, memory } = found.containers[0].usage
    const told = /n$/.test(cpu) ? Number.parseInt(cpu, 10) : Number.parseInt(cpu, 10) * 1_000_000
    expect(Math.abs(told - truth) / truth).toBeLessThan(tolerance)
    expect(told / 1_000_000).toBeLessThan(loadMilli * (1 + 2 * tolerance))
    const bytes = Number.parseInt(memory, 10) * (/Ki$/.test(memory) ? 1_024 : /Mi$/.test(memory) ? mebibyte : 1)
    expect(Math.abs(bytes / mebibyte - blockMebibytes) / blockMebibytes).toBeLessThan(tolerance)
    expect(await cluster.k('top', 'pod', 'load', '--no-headers')).toMatch(/^load\s+\d{2,3}m\s+6[4-7]Mi/)
    expect(await cluster.k('top', 'node', 'worker-0', '--no-headers')).toMatch(/^worker-0\s+\d+m\s+\d+%\s+\d+Mi\s+\d+%/)
  }, 150_000)

  test('files of a node are pods that nobody asked the API for', async () => {
    const file = join(cluster.dataDir, 'containers', 'worker-0', 'manifests', 'own.yaml')
    const containers = [{ name: 'main', image: busyboxImage, command: ['sh', '-c', 'echo of my own; exec sleep 600'] }]
    writeFileSync(file, JSON.stringify({ ...podObject('own', { containers }), kind: 'Pod' }))
    await eventually(async () => assert.equal((await cluster.run(['get', 'pod', 'own-worker-0', '-o', 'jsonpath={.status.phase}'])).stdout, 'Running'))
    expect(await cluster.k('logs', 'own-worker-0')).toBe('of my own\n')
    expect(await cluster.k('exec', 'own-worker-0', '--', 'hostname')).toBe('own-worker-0\n')
    const before = await cluster.get('pod', 'own-worker-0')
    await cluster.k('delete', 'pod', 'own-worker-0', '--wait=false')
    await eventually(async () => {
      const { metadata, status } = await cluster.get('pod', 'own-worker-0')
      assert.notEqual(metadata.uid, before.metadata.uid)
      assert.equal(status.containerStatuses[0].containerID, before.status.containerStatuses[0].containerID)
    })
    rmSync(file)
    await eventually(async () => assert.match((await cluster.run(['get', 'pod', 'own-worker-0'])).stderr, /NotFound/))
  }, 60_000)

  test('pods that take more of the disk than they may are ended, and say so', async () => {
    for (const name of ['fills', 'writes']) await cluster.phase(name, 'Failed')
    const told = async (name: string): Promise<Json> => {
      const { reason, message } = (await cluster.get('pod', name)).status
      return [reason, message]
    }
    expect(await told('fills')).toEqual(['Evicted', 'Usage of EmptyDir volume "small" exceeds the limit "2Mi". '])
    expect(await told('writes')).toEqual(['Evicted', 'Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. '])
    await eventually(async () => expect(await cluster.events('fills')).toContain('Evicted: Usage of EmptyDir volume "small" exceeds the limit "2Mi". '))
    expect((await cluster.get('pod', 'modest')).status.phase).toBe('Running')
  }, 120_000)

  test('nobody else gets to see it: who may not use the proxy of nodes is refused', async () => {
    const refused = await cluster.run(['get', '--raw', '/api/v1/nodes/worker-0/proxy/stats/summary', '--as', 'somebody'])
    expect(refused.stderr).toContain('nodes "worker-0" is forbidden: User "somebody" cannot get resource "nodes/proxy"')
  }, 60_000)
})
