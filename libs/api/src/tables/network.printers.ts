// The tables of services, their endpoints, ingresses and the rest of the network.
import type { JsonObject, KubeObject } from '../kube-object.ts'
import {
  abbreviate,
  age,
  ageColumn,
  column,
  formatLabels,
  formatSelector,
  nameColumn,
  printer,
  selectorColumn,
} from './columns.ts'

/** How many entries of a list are shown before `+ N more...`. */
const shownMax = 3

function loadBalancerAddresses(object: KubeObject): readonly string[] {
  const ingress = (object['status']?.loadBalancer?.ingress ?? []) as JsonObject[]
  return [...new Set(ingress.map((entry) => (entry['ip'] || entry['hostname'] || '') as string))].filter(Boolean).sort()
}

function externalAddress(service: KubeObject): string {
  const spec: JsonObject = service['spec'] ?? {}
  const externalIPs: readonly string[] = spec['externalIPs'] ?? []
  switch (spec['type']) {
    case 'ClusterIP':
    case 'NodePort':
      return externalIPs.join(',') || '<none>'
    case 'LoadBalancer':
      return [...loadBalancerAddresses(service), ...externalIPs].join(',') || '<pending>'
    case 'ExternalName':
      return spec['externalName'] ?? ''
    default:
      return '<unknown>'
  }
}

function servicePorts(service: KubeObject): string {
  const ports = (service['spec']?.ports ?? []) as JsonObject[]
  return (
    ports
      .map(
        (port) => `${port['port']}${port['nodePort'] > 0 ? `:${port['nodePort']}` : ''}/${port['protocol'] ?? 'TCP'}`,
      )
      .join(',') || '<none>'
  )
}

export const servicePrinter = printer(
  [
    nameColumn,
    column('Type', 'How the service is reached.'),
    column('Cluster-IP', 'The address inside the cluster.'),
    column('External-IP', 'The addresses outside the cluster.'),
    column('Port(s)', 'The ports, with the ports on every node.'),
    ageColumn,
    selectorColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.type ?? '',
    object['spec']?.clusterIPs?.[0] ?? '<none>',
    externalAddress(object),
    servicePorts(object),
    age(object, nowMs),
    formatLabels(object['spec']?.selector),
  ],
)

const hostPort = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)

function endpointAddresses(endpoints: KubeObject): string {
  const subsets = (endpoints['subsets'] ?? []) as JsonObject[]
  if (subsets.length === 0) return '<none>'
  const addresses: string[] = []
  for (const subset of subsets) {
    const ips = ((subset['addresses'] ?? []) as JsonObject[]).map((address) => address['ip'] as string)
    const ports = (subset['ports'] ?? []) as JsonObject[]
    if (ports.length === 0) addresses.push(...ips)
    for (const port of ports) addresses.push(...ips.map((ip) => hostPort(ip, port['port'])))
  }
  return abbreviate(addresses, shownMax)
}

export const endpointsPrinter = printer(
  [nameColumn, column('Endpoints', 'The addresses that are ready.'), ageColumn],
  (object, nowMs) => [object.metadata.name, endpointAddresses(object), age(object, nowMs)],
)

export const endpointSlicePrinter = printer(
  [
    nameColumn,
    column('AddressType', 'The kind of its addresses.'),
    column('Ports', 'The ports of its addresses.'),
    column('Endpoints', 'Its addresses.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const ports = ((object['ports'] ?? []) as JsonObject[]).map((port) => String(port['port'] ?? port['name'] ?? '*'))
    const addresses = ((object['endpoints'] ?? []) as JsonObject[]).flatMap((endpoint) => endpoint['addresses'] ?? [])
    return [
      object.metadata.name,
      object['addressType'] ?? '',
      abbreviate(ports, shownMax) || '<unset>',
      abbreviate(addresses, shownMax) || '<unset>',
      age(object, nowMs),
    ]
  },
)

function ingressHosts(ingress: KubeObject): string {
  const rules = (ingress['spec']?.rules ?? []) as JsonObject[]
  const hosts: string[] = []
  let more = false
  for (const rule of rules) {
    if (hosts.length === shownMax) more = true
    else if (rule['host']) hosts.push(rule['host'])
  }
  if (hosts.length === 0) return '*'
  return more ? `${hosts.join(',')} + ${rules.length - shownMax} more...` : hosts.join(',')
}

export const ingressPrinter = printer(
  [
    nameColumn,
    column('Class', 'The class of ingress that serves it.'),
    column('Hosts', 'The hosts that it answers for.'),
    column('Address', 'Where it is reached.'),
    column('Ports', 'The ports that are open.'),
    ageColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.ingressClassName ?? '<none>',
    ingressHosts(object),
    loadBalancerAddresses(object).join(','),
    object['spec']?.tls?.length ? '80, 443' : '80',
    age(object, nowMs),
  ],
)

export const ingressClassPrinter = printer(
  [
    nameColumn,
    column('Controller', 'The controller that serves ingresses of this class.'),
    column('Parameters', 'The object with its further settings.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const parameters: JsonObject | undefined = object['spec']?.parameters
    const group = parameters?.['apiGroup'] === undefined ? '' : `.${parameters['apiGroup']}`
    return [
      object.metadata.name,
      object['spec']?.controller ?? '',
      parameters ? `${parameters['kind']}${group}/${parameters['name']}` : '<none>',
      age(object, nowMs),
    ]
  },
)

export const networkPolicyPrinter = printer(
  [nameColumn, column('Pod-Selector', 'The pods that it rules.'), ageColumn],
  (object, nowMs) => [object.metadata.name, formatSelector(object['spec']?.podSelector), age(object, nowMs)],
)

export const serviceCidrPrinter = printer(
  [nameColumn, column('CIDRs', 'The ranges that addresses are taken from.'), ageColumn],
  (object, nowMs) => [object.metadata.name, (object['spec']?.cidrs ?? []).join(','), age(object, nowMs)],
)

export const ipAddressPrinter = printer(
  [nameColumn, column('ParentRef', 'The object that holds the address.'), ageColumn],
  (object, nowMs) => {
    const parent: JsonObject | undefined = object['spec']?.parentRef
    const resource = parent?.['group'] ? `${parent['resource']}.${parent['group']}` : parent?.['resource']
    return [
      object.metadata.name,
      parent
        ? [String(resource).toLowerCase(), parent['namespace'], parent['name']].filter(Boolean).join('/')
        : '<none>',
      age(object, nowMs),
    ]
  },
)

const quantity = (value: unknown): string => (value === undefined || value === null ? '<unknown>' : String(value))

/** One metric of an autoscaler: `cpu: 40%/80%`, `12/10 (avg)`. */
function autoscalerMetric(metric: JsonObject, status: JsonObject | undefined): string {
  const [sourceField, isNamed] = (
    {
      Resource: ['resource', true],
      ContainerResource: ['containerResource', true],
      Pods: ['pods', false],
      Object: ['object', false],
      External: ['external', false],
    } as Record<string, [string, boolean]>
  )[metric['type']] ?? ['', false]
  if (sourceField === '') return '<unknown type>'
  const source: JsonObject = metric[sourceField] ?? {}
  const target: JsonObject = source['target'] ?? {}
  const current: JsonObject | undefined = status?.[sourceField]?.current
  if (isNamed) {
    if (target['averageValue'] !== undefined) {
      return `${source['name']}: ${quantity(current?.['averageValue'])}/${target['averageValue']}`
    }
    const now = current?.['averageUtilization']
    const wanted = target['averageUtilization']
    return `${source['name']}: ${now === undefined ? '<unknown>' : `${now}%`}/${wanted === undefined ? '<auto>' : `${wanted}%`}`
  }
  if (sourceField === 'pods') return `${quantity(current?.['averageValue'])}/${target['averageValue'] ?? ''}`
  return target['averageValue'] !== undefined
    ? `${quantity(current?.['averageValue'])}/${target['averageValue']} (avg)`
    : `${quantity(current?.['value'])}/${target['value'] ?? ''}`
}

/** How many metrics of an autoscaler are shown. */
const metricsShownMax = 2

function autoscalerTargets(autoscaler: KubeObject): string {
  const spec: JsonObject = autoscaler['spec'] ?? {}
  // autoscaling/v1 has the one metric as two fields of its own.
  if (autoscaler.apiVersion === 'autoscaling/v1') {
    const current = autoscaler['status']?.currentCPUUtilizationPercentage
    const target = spec['targetCPUUtilizationPercentage']
    return `cpu: ${current === undefined ? '<unknown>' : `${current}%`}/${target === undefined ? '<auto>' : `${target}%`}`
  }
  const metrics = (spec['metrics'] ?? []) as JsonObject[]
  const statuses = (autoscaler['status']?.currentMetrics ?? []) as JsonObject[]
  if (metrics.length === 0) return '<none>'
  return abbreviate(
    metrics.map((metric, index) => autoscalerMetric(metric, statuses[index])),
    metricsShownMax,
    ', ',
  )
}

export const horizontalPodAutoscalerPrinter = printer(
  [
    nameColumn,
    column('Reference', 'What is scaled.'),
    column('Targets', 'Each metric: as it is, and as it should be.'),
    column('MinPods', 'How many pods there are at least.'),
    column('MaxPods', 'How many pods there are at most.'),
    column('Replicas', 'How many pods there are.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const { scaleTargetRef, minReplicas, maxReplicas } = (object['spec'] ?? {}) as JsonObject
    return [
      object.metadata.name,
      `${scaleTargetRef?.kind ?? ''}/${scaleTargetRef?.name ?? ''}`,
      autoscalerTargets(object),
      minReplicas === undefined ? '<unset>' : String(minReplicas),
      maxReplicas ?? 0,
      object['status']?.currentReplicas ?? 0,
      age(object, nowMs),
    ]
  },
)
