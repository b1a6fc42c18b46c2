// What is accepted of a pod and is most likely a mistake, or soon to be one: the sentences of Warning headers.
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { items } from '../fields.ts'
import { nanosOf } from '../quantities.ts'

const deprecatedLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
}

/** In the order in which upstream looks at a volume. */
const deprecatedVolumes: readonly (readonly [source: string, sentence: string, shown?: string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+', 'storageOS'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
]

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'
const seccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompContainerAnnotation = 'container.seccomp.security.alpha.kubernetes.io/'
const nanosPerUnit = 1_000_000_000n

type Container = readonly [container: JsonObject, at: string]

/** Warnings of a pod (`field` is '') or of a template at `field` (`spec.template`). */
export function podWarnings(pod: JsonObject | undefined, field: string): string[] {
  const spec: JsonObject = pod?.['spec'] ?? {}
  const annotations: JsonObject = pod?.['metadata']?.annotations ?? {}
  const prefix = field === '' ? '' : `${field}.`
  const at = `${prefix}spec`
  const containers = containersOf(spec, at)
  const metadata = `${prefix}metadata.annotations`
  return [
    ...(field === '' ? appArmorWarnings(containers, annotations, metadata) : []),
    ...labelWarnings(spec, at),
    ...Object.entries(deprecatedAnnotations).flatMap(([key, sentence]) =>
      annotations[key] === undefined ? [] : [`${metadata}[${key}]: ${sentence}`],
    ),
    ...volumeWarnings(spec, at),
    ...duplicates(spec['hostAliases'], 'ip', `${at}.hostAliases`),
    ...duplicates(spec['imagePullSecrets'], 'name', `${at}.imagePullSecrets`),
    ...items(spec['imagePullSecrets']).flatMap((secret: JsonObject, index) =>
      secret['name'] ? [] : [`${at}.imagePullSecrets[${index}].name: invalid empty name ""`],
    ),
    ...fractional(spec['overhead'], `${at}.overhead`),
    ...(annotations[seccompAnnotation] !== undefined && !spec['securityContext']?.seccompProfile
      ? [`${metadata}[${seccompAnnotation}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
      : []),
    ...containers.flatMap((one) => [
      ...seccompWarnings(one, annotations, metadata),
      ...(field === '' ? [] : appArmorWarnings([one], annotations, metadata)),
      ...fractional(one[0]['resources']?.limits, `${one[1]}.resources.limits`),
      ...fractional(one[0]['resources']?.requests, `${one[1]}.resources.requests`),
      ...hiddenVariables(one),
    ]),
    ...portWarnings(containers),
    ...(spec['terminationGracePeriodSeconds'] < 0
      ? [`${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...affinityWarnings(spec['affinity'], at),
  ]
}

const containersOf = (spec: JsonObject, at: string): Container[] =>
  ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) =>
    items(spec[list]).map((container: JsonObject, index): Container => [container, `${at}.${list}[${index}]`]),
  )

const labelWarnings = (spec: JsonObject, at: string): string[] => {
  const inTerm = (term: JsonObject | undefined, place: string): string[] =>
    items(term?.['matchExpressions']).flatMap((expression: JsonObject, index) => {
      const sentence = deprecatedLabels[expression['key']]
      return sentence ? [`${place}.matchExpressions[${index}].key: ${expression['key']} is ${sentence}`] : []
    })
  const affinity: JsonObject | undefined = spec['affinity']?.nodeAffinity
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
  const place = `${at}.affinity.nodeAffinity`
  return [
    ...Object.keys(spec['nodeSelector'] ?? {}).flatMap((key) =>
      deprecatedLabels[key] ? [`${at}.nodeSelector[${key}]: ${deprecatedLabels[key]}`] : [],
    ),
    ...items(affinity?.[required]?.nodeSelectorTerms).flatMap((term: JsonObject, index) =>
      inTerm(term, `${place}.${required}.nodeSelectorTerms[${index}]`),
    ),
    ...items(affinity?.[preferred]).flatMap((term: JsonObject, index) =>
      inTerm(term['preference'], `${place}.${preferred}[${index}].preference`),
    ),
    ...items(spec['topologySpreadConstraints']).flatMap((constraint: JsonObject, index) => {
      const where = `${at}.topologySpreadConstraints[${index}]`
      const sentence = deprecatedLabels[constraint['topologyKey']]
      return [
        ...(sentence ? [`${where}.topologyKey: ${constraint['topologyKey']} is ${sentence}`] : []),
        ...nullSelector(constraint, `${where}.labelSelector`),
      ]
    }),
  ]
}

const nullSelector = (holder: JsonObject | undefined, place: string): string[] =>
  holder?.['labelSelector'] ? [] : [`${place}: a null labelSelector results in matching no pod`]

const affinityWarnings = (affinity: JsonObject | undefined, at: string): string[] =>
  ['podAffinity', 'podAntiAffinity'].flatMap((kind) => {
    const terms: JsonObject | undefined = affinity?.[kind]
    const required = 'requiredDuringSchedulingIgnoredDuringExecution'
    const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
    const place = `${at}.affinity.${kind}`
    return [
      ...items(terms?.[required]).flatMap((term: JsonObject, index) =>
        nullSelector(term, `${place}.${required}[${index}].labelSelector`),
      ),
      ...items(terms?.[preferred]).flatMap((term: JsonObject, index) =>
        nullSelector(term['podAffinityTerm'], `${place}.${preferred}[${index}].podAffinityTerm.labelSelector`),
      ),
    ]
  })

const volumeWarnings = (spec: JsonObject, at: string): string[] =>
  items(spec['volumes']).flatMap((volume: JsonObject, index) =>
    deprecatedVolumes.flatMap(([source, sentence, shown = source]) =>
      volume[source] ? [`${at}.volumes[${index}].${shown}: ${sentence}`] : [],
    ),
  )

const duplicates = (list: unknown, key: string, place: string): string[] => {
  const seen = new Set<unknown>()
  return items(list).flatMap((item: JsonObject, index) => {
    const value = item[key]
    if (!seen.has(value)) {
      seen.add(value)
      return []
    }
    return [`${place}[${index}].${key}: duplicate ${key} ${goQuote(String(value ?? ''))}`]
  })
}

const fractional = (quantities: JsonObject | undefined, place: string): string[] =>
  ['memory', 'ephemeral-storage'].flatMap((name) => {
    const nanos = nanosOf(quantities?.[name])
    return nanos !== undefined && nanos % nanosPerUnit !== 0n
      ? [
          `${place}[${name}]: fractional byte value ${goQuote(String(quantities![name]))} is invalid, must be an integer`,
        ]
      : []
  })

const appArmorWarnings = (containers: readonly Container[], annotations: JsonObject, place: string): string[] =>
  containers.flatMap(([container]) => {
    const key = appArmorAnnotation + container['name']
    return annotations[key] !== undefined && !container['securityContext']?.appArmorProfile
      ? [`${place}[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`]
      : []
  })

const seccompWarnings = ([container]: Container, annotations: JsonObject, place: string): string[] => {
  const key = seccompContainerAnnotation + container['name']
  return annotations[key] !== undefined && !container['securityContext']?.seccompProfile
    ? [`${place}[${key}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
    : []
}

const hiddenVariables = ([container, at]: Container): string[] => {
  const seen = new Set<string>()
  return items(container['env']).flatMap((variable: JsonObject, index) => {
    const name: string = variable['name'] ?? ''
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    const reference = `$(${name})`
    const value: string = variable['value'] ?? ''
    const keeps = !variable['valueFrom'] && value !== reference && value.includes(reference)
    return keeps
      ? []
      : [`${at}.env[${index}]: hides previous definition of ${goQuote(name)}, which may be dropped when using apply`]
  })
}

interface Port {
  readonly at: string
  readonly hostIP: string
  readonly hostPort: number
}

const portWarnings = (containers: readonly Container[]): string[] => {
  const sentences: string[] = []
  const known = new Map<string, Port[]>()
  const names = new Map<string, string>()
  const said: string[] = []
  for (const [container, place] of containers) {
    items(container['ports']).forEach((port: JsonObject, index) => {
      const at = `${place}.ports[${index}]`
      const mine: Port = { at, hostIP: port['hostIP'] ?? '', hostPort: port['hostPort'] ?? 0 }
      const key = `${port['containerPort']}/${port['protocol'] ?? 'TCP'}`
      const others = known.get(key) ?? []
      for (const other of others) {
        if (mine.hostIP === other.hostIP && mine.hostPort === other.hostPort)
          sentences.push(`${at}: duplicate port definition with ${other.at}`)
        else if (mine.hostPort === 0 || other.hostPort === 0)
          sentences.push(`${at}: overlapping port definition with ${other.at}`)
        else if (mine.hostPort === other.hostPort && (mine.hostIP === '') !== (other.hostIP === ''))
          sentences.push(`${at}: dangerously ambiguous port definition with ${other.at}`)
      }
      known.set(key, [...others, mine])
      const name: string = port['name'] ?? ''
      const first = names.get(name)
      if (name !== '' && first)
        said.push(
          `${at}: duplicate port name ${goQuote(name)} with ${first}, services and probes that select ports by name will use ${first}`,
        )
      else if (name !== '') names.set(name, at)
    })
  }
  return [...sentences, ...said]
}

/** Warnings of a workload's template: told when the workload is made, and when its generation moves. */
export const templateWarnings =
  (templateOf: (object: KubeObject) => JsonObject | undefined, field: string) =>
  (next: KubeObject, before: KubeObject | undefined): string[] =>
    before && before.metadata.generation === next.metadata.generation ? [] : podWarnings(templateOf(next), field)
