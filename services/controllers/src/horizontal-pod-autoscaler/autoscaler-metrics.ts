// From readings to one wish: each metric asks for a number of replicas, and the highest counts. While some metrics say
// nothing, the others may only scale up. Sentences, reasons and order are upstream's (pkg/controller/podautoscaler).
import type {
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '@shiplog/api/generated/types/autoscaling-v2'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { formatQuantity, milliOf, parseQuantity, quantityOfMilli } from '@shiplog/api/quantity'
import type { Condition } from '../shared/conditions.ts'
import { selectorText } from './metric-names.ts'
import type { PodReading, Reading, ScaleReading } from './readings.ts'
import {
  byAverage,
  byUtilization,
  byValue,
  byValuePerPod,
  int64Max,
  type NoProposal,
  type Proposal,
  sumOfSeries,
  type Tolerances,
} from './replica-calculator.ts'

const defaultTolerance = 0.1

export interface Warning {
  readonly reason: string
  readonly message: string
}

/** What the metrics of an autoscaler come to. */
export interface Wish {
  /** Undefined when they come to nothing. */
  readonly replicas: number | undefined
  /** Which metric it was. */
  readonly metric: string
  readonly scalingActive: Condition
  readonly statuses: MetricStatus[]
  readonly warnings: readonly Warning[]
}

export interface Measured {
  readonly autoscaler: HorizontalPodAutoscaler
  readonly scale: ScaleReading
  readonly metrics: readonly Reading[]
  readonly pods: readonly Pod[]
  readonly nowMs: number
}

/** What one metric comes to. */
type Outcome =
  | { readonly replicas: number; readonly metric: string; readonly status: MetricStatus }
  /** `fault` is told in the condition, `told` in the sum of all. */
  | { readonly reason: string; readonly fault: string; readonly told: string }

const tolerance = (rules: HPAScalingRules | undefined): number =>
  rules?.tolerance === undefined ? defaultTolerance : Number(parseQuantity(rules.tolerance).nano) / 1e9

const tolerancesOf = ({ spec }: HorizontalPodAutoscaler): Tolerances => ({
  scaleDown: tolerance(spec.behavior?.scaleDown),
  scaleUp: tolerance(spec.behavior?.scaleUp),
})

/** What all metrics together ask for. */
export function wishOf(measured: Measured): Wish {
  const specs = measured.autoscaler.spec.metrics ?? []
  const outcomes = specs.map((spec, index) => outcomeOf(measured, spec, measured.metrics[index]!))
  const faults = outcomes.filter((one) => 'fault' in one)
  let best: { readonly replicas: number; readonly metric: string } = { replicas: 0, metric: '' }
  for (const one of outcomes) {
    if ('fault' in one) continue
    if (best.replicas === 0 || one.replicas > best.replicas) best = one
  }
  const statuses = outcomes.map((one): MetricStatus => ('fault' in one ? { type: '' } : one.status))
  const warnings = faults.map(({ reason, fault }) => ({ reason, message: fault }))
  const first = faults[0]
  if (first && (faults.length === outcomes.length || best.replicas < measured.scale.specReplicas)) {
    const message = `the HPA was unable to compute the replica count: ${first.fault}`
    const why = `invalid metrics (${faults.length} invalid out of ${outcomes.length}), first error is: ${first.told}`
    return {
      ...{ replicas: undefined, metric: '', statuses },
      scalingActive: { type: 'ScalingActive', status: 'False', reason: first.reason, message },
      warnings: [...warnings, { reason: 'FailedComputeMetricsReplicas', message: why }],
    }
  }
  const message = `the HPA was able to successfully calculate a replica count from ${best.metric}`
  return {
    ...{ ...best, statuses, warnings },
    scalingActive: { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound', message },
  }
}

function outcomeOf(measured: Measured, spec: MetricSpec, reading: Reading): Outcome {
  if (spec.object) return ofObject(measured, spec.object, reading)
  if (spec.pods) return ofPods(measured, spec.pods, reading)
  if (spec.resource) {
    const { name, target } = spec.resource
    const found = ofResource(measured, { name, container: '', target }, reading)
    if ('fault' in found)
      return { ...found, reason: 'FailedGetResourceMetric', told: `failed to get ${name} resource metric value: ${found.fault}` }
    const metric =
      found.current.averageUtilization === undefined
        ? `${name} resource`
        : `${name} resource utilization (percentage of request)`
    return { ...found, metric, status: { type: 'Resource', resource: { name, current: found.current } } }
  }
  if (spec.containerResource) {
    const { name, container, target } = spec.containerResource
    const found = ofResource(measured, { name, container, target }, reading)
    if ('fault' in found)
      return { ...found, reason: 'FailedGetContainerResourceMetric', told: `failed to get ${container} container metric value: ${found.fault}` }
    const metric =
      found.current.averageUtilization === undefined
        ? `${name} resource`
        : `${name} container resource utilization (percentage of request)`
    const containerResource = { name, container, current: found.current }
    return { ...found, metric, status: { type: 'ContainerResource', containerResource } }
  }
  return ofExternal(measured, spec.external!, reading)
}

const replicasOf = ({ pods, nowMs, autoscaler }: Measured, current: number) => ({
  ...{ pods, nowMs, current },
  tolerances: tolerancesOf(autoscaler),
})

/** Thousandths as a quantity. Memory is written in powers of two, as metrics servers write it. */
function amountText(milli: number, resource = ''): string {
  const capped = milli >= int64Max ? 2n ** 63n - 1n : BigInt(Math.trunc(milli))
  return formatQuantity(quantityOfMilli(capped, resource === 'memory' ? 'BinarySI' : 'DecimalSI'))
}

const podsIn = (reading: Reading): Readonly<Record<string, PodReading>> => ('pods' in reading ? reading.pods : {})

type ResourceOutcome = { readonly replicas: number; readonly current: MetricValueStatus } | NoProposal

function ofResource(
  measured: Measured,
  { name, container, target }: { readonly name: string; readonly container: string; readonly target: MetricTarget },
  reading: Reading,
): ResourceOutcome {
  const replicas = replicasOf(measured, measured.scale.specReplicas)
  if (target.averageValue !== undefined) {
    const found =
      'fault' in reading
        ? reading
        : byAverage(replicas, podsIn(reading), { resource: name, target: milliOf(target.averageValue) })
    if ('fault' in found) return { fault: `failed to get ${name} usage: ${found.fault}` }
    return { replicas: found.replicas, current: { averageValue: amountText(found.usage, name) } }
  }
  if (target.averageUtilization === undefined)
    return {
      fault: 'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set',
    }
  const wanted = { resource: name, container, target: target.averageUtilization }
  const found = 'fault' in reading ? reading : byUtilization(replicas, podsIn(reading), wanted)
  if ('fault' in found) return { fault: `failed to get ${name} utilization: ${found.fault}` }
  const { utilization = 0, usage } = found
  return {
    replicas: found.replicas,
    current: { averageUtilization: utilization, averageValue: amountText(usage, name) },
  }
}

function ofPods(measured: Measured, { metric, target }: NonNullable<MetricSpec['pods']>, reading: Reading): Outcome {
  const wanted = { resource: '', target: milliOf(target.averageValue ?? '0') }
  const found =
    'fault' in reading ? reading : byAverage(replicasOf(measured, measured.scale.specReplicas), podsIn(reading), wanted)
  if ('fault' in found)
    return { ...found, reason: 'FailedGetPodsMetric', told: `failed to get pods metric value: ${found.fault}` }
  const status = { type: 'Pods', pods: { metric, current: { averageValue: amountText(found.usage) } } }
  return { replicas: found.replicas, metric: `pods metric ${metric.name}`, status }
}

function ofObject(measured: Measured, source: NonNullable<MetricSpec['object']>, reading: Reading): Outcome {
  const { describedObject, metric, target } = source
  const { scale } = measured
  const failed = (fault: string, told = fault): Outcome => ({
    ...{ reason: 'FailedGetObjectMetric', fault, told: `failed to get object metric value: ${told}` },
  })
  const statusWith = (current: MetricValueStatus): MetricStatus => ({
    ...{ type: 'Object', object: { metric, current, describedObject } },
  })
  if (target.type === 'Value' && target.value !== undefined) {
    const found = valueIn(reading, (value) =>
      byValue(replicasOf(measured, scale.specReplicas), value, milliOf(target.value!)),
    )
    if ('fault' in found) return failed(found.fault)
    const name = `${describedObject.kind} metric ${metric.name}`
    return { replicas: found.replicas, metric: name, status: statusWith({ value: amountText(found.usage) }) }
  }
  if (target.type === 'AverageValue' && target.averageValue !== undefined) {
    const found = valueIn(reading, (value) =>
      byValuePerPod(replicasOf(measured, scale.statusReplicas), value, milliOf(target.averageValue!)),
    )
    if ('fault' in found) return failed(found.fault, `failed to get ${metric.name} object metric: ${found.fault}`)
    const name = `external metric ${metric.name}(${selectorText(metric.selector)})`
    return { replicas: found.replicas, metric: name, status: statusWith({ averageValue: amountText(found.usage) }) }
  }
  return failed('invalid object metric source: neither a value target nor an average value target was set')
}

function ofExternal(measured: Measured, source: NonNullable<MetricSpec['external']>, reading: Reading): Outcome {
  const { metric, target } = source
  const { scale } = measured
  const name = `external metric ${metric.name}(${selectorText(metric.selector)})`
  const failed = (fault: string, told: string): Outcome => ({
    ...{ reason: 'FailedGetExternalMetric', fault },
    told: `failed to get ${metric.name} external metric value: ${told}`,
  })
  const statusWith = (current: MetricValueStatus): MetricStatus => ({ type: 'External', external: { metric, current } })
  if (target.averageValue !== undefined) {
    const found = valueIn(reading, (value) =>
      byValuePerPod(replicasOf(measured, scale.statusReplicas), value, milliOf(target.averageValue!)),
    )
    if ('fault' in found) return failed(found.fault, `failed to get ${metric.name} external metric: ${found.fault}`)
    return { replicas: found.replicas, metric: name, status: statusWith({ averageValue: amountText(found.usage) }) }
  }
  if (target.value !== undefined) {
    const found = valueIn(reading, (value) =>
      byValue(replicasOf(measured, scale.specReplicas), value, milliOf(target.value!)),
    )
    if ('fault' in found) return failed(found.fault, `failed to get external metric ${metric.name}: ${found.fault}`)
    return { replicas: found.replicas, metric: name, status: statusWith({ value: amountText(found.usage) }) }
  }
  const fault = 'invalid external metric source: neither a value target nor an average value target was set'
  return failed(fault, fault)
}

const valueIn = (reading: Reading, calculate: (value: number) => Proposal | NoProposal): Proposal | NoProposal => {
  if ('fault' in reading) return reading
  if ('pods' in reading) return { fault: 'no value' }
  return calculate('value' in reading ? reading.value : sumOfSeries(reading.values))
}
