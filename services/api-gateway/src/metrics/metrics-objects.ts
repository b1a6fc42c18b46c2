// PodMetrics and NodeMetrics, made when they are asked for: the pods and nodes that there are, with what their nodes last said.
// A pod of which something is not known yet has none, as with upstream's metrics server.
import { goDurationText } from '@shiplog/api/go-duration'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { MetricsMeta, NodeMetrics, PodMetrics, Usage } from '@shiplog/api/metrics'
import { formatQuantity, quantityOf } from '@shiplog/api/quantity'
import type { ContainerUsage, NodeUsage, PodUsage } from '@shiplog/api-client/wire/node-usage'
import type { AdmissionView } from '@shiplog/domain/admission'
import { rfc3339 } from '@shiplog/runtime/clock'
import { Version } from '../store/version.ts'
import type { UsageSource } from './usage-store.ts'

const apiVersion = 'metrics.k8s.io/v1beta1'

export interface MetricsDeps {
  readonly view: AdmissionView
  readonly usage: UsageSource
  readonly nowMs: () => number
}

const usageText = ({ cpuNanoCores, memoryWorkingSetBytes }: Omit<ContainerUsage, 'name'>): Usage => ({
  cpu: formatQuantity({ nano: BigInt(Math.round(cpuNanoCores)), format: 'DecimalSI' }),
  memory: formatQuantity(quantityOf(BigInt(Math.round(memoryWorkingSetBytes)), 'BinarySI')),
})

const metadataOf = ({ name, namespace, labels }: KubeObject['metadata'], nowMs: number): MetricsMeta => ({
  ...{ name, ...(namespace === undefined ? {} : { namespace }), creationTimestamp: rfc3339(nowMs) },
  ...(labels ? { labels } : {}),
})

const windowOf = ({ atMs, windowMs }: Pick<NodeUsage, 'atMs' | 'windowMs'>) => ({
  timestamp: rfc3339(atMs),
  window: goDurationText(windowMs),
})

/** Of the pods of a namespace, or of all. */
export function podMetrics({ view, usage, nowMs }: MetricsDeps, namespace: string): Version[] {
  const reports = new Map<string, ReadonlyMap<string, PodUsage>>()
  /** What a pod's own node says of it: another cannot speak for it. */
  const usageOf = ({ metadata, spec }: Pod): PodUsage | undefined => {
    const node = spec.nodeName ?? ''
    let known = reports.get(node)
    if (!known) reports.set(node, (known = new Map(usage.of(node)?.pods.map((one) => [one.uid, one]))))
    return known.get(metadata.uid)
  }
  const pods = view.list('pods', namespace) as unknown as readonly Pod[]
  return pods.flatMap((pod) => {
    const used = pod.status?.phase === 'Running' ? usageOf(pod) : undefined
    if (!used || used.containers.length === 0) return []
    const object: PodMetrics = {
      ...{ kind: 'PodMetrics', apiVersion, metadata: metadataOf(pod.metadata, nowMs()), ...windowOf(used) },
      containers: used.containers.map((container) => ({ name: container.name, usage: usageText(container) })),
    }
    return [versionOf(object as unknown as KubeObject)]
  })
}

export const nodeMetrics = ({ view, usage, nowMs }: MetricsDeps): Version[] =>
  view.list('nodes').flatMap((node) => {
    const report = usage.of(node.metadata.name)
    if (!report) return []
    const object: NodeMetrics = {
      ...{ kind: 'NodeMetrics', apiVersion, metadata: metadataOf(node.metadata, nowMs()), ...windowOf(report) },
      usage: usageText(report.node ?? sumOf(report)),
    }
    return [versionOf(object as unknown as KubeObject)]
  })

function sumOf({ pods }: NodeUsage): Omit<ContainerUsage, 'name'> {
  const containers = pods.flatMap((pod) => pod.containers)
  return {
    cpuNanoCores: containers.reduce((sum, one) => sum + one.cpuNanoCores, 0),
    memoryWorkingSetBytes: containers.reduce((sum, one) => sum + one.memoryWorkingSetBytes, 0),
  }
}

function versionOf(object: KubeObject): Version {
  const { name, namespace = '' } = object.metadata
  return new Version({
    ...{ key: namespace === '' ? name : `${namespace}/${name}`, namespace, name, sequence: 0, timeMs: 0, deleted: false },
    ...{ previousSequence: 0, checksum: '', previous: undefined },
    bytes: Buffer.from(JSON.stringify(object)),
  })
}
