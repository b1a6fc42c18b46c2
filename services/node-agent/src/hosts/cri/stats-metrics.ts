// What a node measured as metrics for Prometheus: `/metrics/resource` and `/metrics/cadvisor`, with upstream's names. Pure.
import type { MetricSample } from '@shiplog/runtime/metrics'
import { containersOf } from '../../pod-work.ts'
import type { HostedPod } from '../pod-host.ts'
import { type ContainerSample, type Measured, type NodeSample, sampleOfContainer } from './node-sampler.ts'

const nanoseconds = 1_000_000_000

type Labels = Readonly<Record<string, string>>

const series =
  (name: string, type: 'counter' | 'gauge', help: string) =>
  (value: number, labels: Labels = {}): MetricSample => ({ name, type, help, value, labels })

const resource = {
  nodeCpu: series('node_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the node in core-seconds'),
  nodeMemory: series('node_memory_working_set_bytes', 'gauge', 'Current working set of the node in bytes'),
  nodeSwap: series('node_swap_usage_bytes', 'gauge', 'Current swap usage of the node in bytes. Reported only on non-windows systems'),
  podCpu: series('pod_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the pod in core-seconds'),
  podMemory: series('pod_memory_working_set_bytes', 'gauge', 'Current working set of the pod in bytes'),
  containerCpu: series('container_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed by the container in core-seconds'),
  containerMemory: series('container_memory_working_set_bytes', 'gauge', 'Current working set of the container in bytes'),
  containerStart: series('container_start_time_seconds', 'gauge', 'Start time of the container since unix epoch in seconds'),
  scrapeError: series('resource_scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise'),
  oldScrapeError: series('scrape_error', 'gauge', '1 if there was an error while getting container metrics, 0 otherwise'),
}

interface RunningContainer {
  readonly name: string
  readonly image: string
  readonly id: string
  readonly startedAtMs: number
  readonly sample: ContainerSample
}

function runningOf(sample: NodeSample, { work }: HostedPod): RunningContainer[] {
  return containersOf(work).flatMap(({ name, image, state, containerID }) => {
    const found = state.at === 'running' ? sampleOfContainer(sample, containerID) : undefined
    return found && state.at === 'running' ? [{ name, image, id: containerID, startedAtMs: state.startedAtMs, sample: found }] : []
  })
}

const podLabels = ({ pod: { metadata } }: HostedPod): Labels => ({ pod: metadata.name, namespace: metadata.namespace ?? '' })

/** `sample` undefined: nothing could be measured, which is a number as well. */
export function resourceMetrics(sample: NodeSample | undefined, pods: readonly HostedPod[]): MetricSample[] {
  const failed = sample === undefined ? 1 : 0
  const errors = [resource.scrapeError(failed), resource.oldScrapeError(failed)]
  if (sample === undefined) return errors
  const { machine } = sample
  return [
    resource.nodeCpu(machine.cpuNanoseconds / nanoseconds),
    resource.nodeMemory(machine.memory.workingSetBytes),
    resource.nodeSwap(0),
    ...pods.flatMap((pod) => {
      const labels = podLabels(pod)
      const whole = sample.pods.get(pod.uid)
      const containers = runningOf(sample, pod).flatMap(({ name, startedAtMs, sample: { cpuNanoseconds, memory } }) => [
        resource.containerCpu(cpuNanoseconds / nanoseconds, { container: name, ...labels }),
        resource.containerMemory(memory.workingSetBytes, { container: name, ...labels }),
        resource.containerStart(startedAtMs / 1_000, { container: name, ...labels }),
      ])
      if (whole === undefined) return containers
      return [...containers, resource.podCpu(whole.cpuNanoseconds / nanoseconds, labels), resource.podMemory(whole.memory.workingSetBytes, labels)]
    }),
    ...errors,
  ]
}

const cadvisor = {
  cpu: series('container_cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed in seconds.'),
  memory: series('container_memory_usage_bytes', 'gauge', 'Current memory usage in bytes, including all memory regardless of when it was accessed'),
  workingSet: series('container_memory_working_set_bytes', 'gauge', 'Current working set in bytes.'),
  rss: series('container_memory_rss', 'gauge', 'Size of RSS in bytes.'),
  files: series('container_fs_usage_bytes', 'gauge', 'Number of bytes that are consumed by the container on this filesystem.'),
  start: series('container_start_time_seconds', 'gauge', 'Start time of the container since unix epoch in seconds.'),
  processes: series('container_processes', 'gauge', 'Number of processes running inside the container.'),
  received: series('container_network_receive_bytes_total', 'counter', 'Cumulative count of bytes received'),
  transmitted: series('container_network_transmit_bytes_total', 'counter', 'Cumulative count of bytes transmitted'),
  memoryOfMachine: series('machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.'),
}

const counted = ({ cpuNanoseconds, memory }: Measured, labels: Labels): MetricSample[] => [
  cadvisor.cpu(cpuNanoseconds / nanoseconds, { ...labels, cpu: 'total' }),
  cadvisor.memory(memory.usageBytes, labels),
  cadvisor.workingSet(memory.workingSetBytes, labels),
  cadvisor.rss(memory.rssBytes, labels),
]

export function cadvisorMetrics(sample: NodeSample, pods: readonly HostedPod[]): MetricSample[] {
  const none = { container: '', id: '/', image: '', name: '', namespace: '', pod: '' }
  return [
    ...counted(sample.machine, none),
    cadvisor.memoryOfMachine(sample.machine.memory.capacityBytes),
    ...pods.flatMap((pod) => {
      const whole = sample.pods.get(pod.uid)
      if (whole === undefined) return []
      const labels = { ...none, ...podLabels(pod), id: `/kubepods/pod${pod.uid}` }
      const network = whole.network ?? []
      return [
        ...counted(whole, labels),
        cadvisor.processes(whole.processes, labels),
        ...network.flatMap(({ name, rxBytes, txBytes }) => [
          cadvisor.received(rxBytes, { ...labels, interface: name }),
          cadvisor.transmitted(txBytes, { ...labels, interface: name }),
        ]),
        ...runningOf(sample, pod).flatMap((one) => {
          const own = { ...labels, container: one.name, image: one.image, name: one.id.slice(one.id.indexOf('://') + 3), id: `${labels.id}/${one.id}` }
          return [
            ...counted(one.sample, own),
            cadvisor.start(one.startedAtMs / 1_000, own),
            ...(one.sample.writableLayer ? [cadvisor.files(one.sample.writableLayer.usedBytes, { ...own, device: '' })] : []),
          ]
        }),
      ]
    }),
  ]
}
