// What is accepted of a pod and is most likely a mistake, or soon to be one: the sentences of Warning headers.
import { goQuote } from '@shiplog/api/decode/go-quote'
import type {
  Affinity,
  ContainerPort,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import type { ObjectMeta } from '@shiplog/api/kube-object'
import { items } from '../fields.ts'
import { ipWarnings } from '../ip-addresses.ts'
import { dns1123Label } from '../names.ts'
import { labelDeprecation, nodeTermWarnings } from '../node-labels.ts'
import { claimSpecWarnings, fractionalBytes } from '../persistent-volume-claim/claim-warnings.ts'
import { containersOf, type PlacedContainer } from './containers.ts'
import { appArmorAnnotation, appArmorAnnotationKeys, hasUnsaidAppArmor } from './app-armor.ts'
import { virtualPathWarnings } from './path-warnings.ts'

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
}

/** In the order in which upstream looks at a volume. */
const deprecatedVolumes: readonly (readonly [source: keyof Volume, sentence: string, shown?: string])[] = [
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

const seccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompContainerAnnotation = 'container.seccomp.security.alpha.kubernetes.io/'
const byteResources = ['memory', 'ephemeral-storage']

/** Warnings of a pod (`field` is '') or of a template at `field` (`spec.template`). */
export function podWarnings(pod: Decoded<PodTemplateSpec> | undefined, field: string): string[] {
  const spec = pod?.spec ?? {}
  const annotations = pod?.metadata?.annotations ?? {}
  const prefix = field === '' ? '' : `${field}.`
  const at = `${prefix}spec`
  const containers = containersOf(spec, at)
  const metadata = `${prefix}metadata.annotations`
  return [
    ...(field === '' ? nameWarnings(pod?.metadata?.name, "this is used in the Pod's hostname") : []),
    ...(field === '' ? appArmorAnnotationKeys(pod ?? {}).map((key) => `${metadata}[${key}]: ${appArmorSentence}`) : []),
    ...labelWarnings(spec, at),
    ...Object.entries(deprecatedAnnotations).flatMap(([key, sentence]) =>
      annotations[key] === undefined ? [] : [`${metadata}[${key}]: ${sentence}`],
    ),
    ...volumeWarnings(spec, at),
    ...virtualPathWarnings(spec.volumes),
    ...duplicates(
      items(spec.hostAliases).map(({ ip }) => ip),
      'ip',
      `${at}.hostAliases`,
    ),
    ...duplicates(
      items(spec.imagePullSecrets).map(({ name }) => name),
      'name',
      `${at}.imagePullSecrets`,
    ),
    ...items(spec.imagePullSecrets).flatMap((secret, index) =>
      secret.name ? [] : [`${at}.imagePullSecrets[${index}].name: invalid empty name ""`],
    ),
    ...fractionalBytes(spec.overhead, byteResources, `${at}.overhead`),
    ...(annotations[seccompAnnotation] !== undefined && !spec.securityContext?.seccompProfile
      ? [`${metadata}[${seccompAnnotation}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
      : []),
    ...containers.flatMap((one) => [
      ...seccompWarnings(one, annotations, metadata),
      ...(field !== '' && hasUnsaidAppArmor(pod!, one[0])
        ? [`${metadata}[${appArmorAnnotation}${one[0].name}]: ${appArmorSentence}`]
        : []),
      ...fractionalBytes(one[0].resources?.limits, byteResources, `${one[1]}.resources.limits`),
      ...fractionalBytes(one[0].resources?.requests, byteResources, `${one[1]}.resources.requests`),
      ...hiddenVariables(one),
    ]),
    ...portWarnings(containers),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [`${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...affinityWarnings(spec.affinity, at),
    ...items(spec.dnsConfig?.nameservers).flatMap((server, index) =>
      ipWarnings(server, `${at}.dnsConfig.nameservers[${index}]`),
    ),
    ...items(spec.hostAliases).flatMap(({ ip }, index) => ipWarnings(ip, `${at}.hostAliases[${index}].ip`)),
  ]
}

/** Of a name that pods get theirs from, and that is not the name of a host. */
export const nameWarnings = (name: string | undefined, use = 'this is used in Pod names and hostnames'): string[] => {
  const sentences = dns1123Label(name ?? '')
  return sentences.length === 0
    ? []
    : [
        `metadata.name: ${use}, which can result in surprising behavior; a DNS label is recommended: [${sentences.join(' ')}]`,
      ]
}

const labelWarnings = (spec: Decoded<PodSpec>, at: string): string[] => {
  const affinity = spec.affinity?.nodeAffinity
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
  const place = `${at}.affinity.nodeAffinity`
  return [
    ...Object.keys(spec.nodeSelector ?? {}).flatMap((key) =>
      labelDeprecation(key) ? [`${at}.nodeSelector[${key}]: ${labelDeprecation(key)}`] : [],
    ),
    ...items(affinity?.[required]?.nodeSelectorTerms).flatMap((term, index) =>
      nodeTermWarnings(term, `${place}.${required}.nodeSelectorTerms[${index}]`),
    ),
    ...items(affinity?.[preferred]).flatMap((term, index) =>
      nodeTermWarnings(term.preference, `${place}.${preferred}[${index}].preference`, true),
    ),
    ...items(spec.topologySpreadConstraints).flatMap((constraint, index) => {
      const where = `${at}.topologySpreadConstraints[${index}]`
      const sentence = labelDeprecation(constraint.topologyKey)
      return [
        ...(sentence ? [`${where}.topologyKey: ${constraint.topologyKey} is ${sentence}`] : []),
        ...nullSelector(constraint, `${where}.labelSelector`),
      ]
    }),
  ]
}

const nullSelector = (holder: Decoded<Pick<PodAffinityTerm, 'labelSelector'>> | undefined, place: string): string[] =>
  holder?.labelSelector ? [] : [`${place}: a null labelSelector results in matching no pod`]

const affinityWarnings = (affinity: Decoded<Affinity> | undefined, at: string): string[] =>
  (['podAffinity', 'podAntiAffinity'] as const).flatMap((kind) => {
    const terms = affinity?.[kind]
    const required = 'requiredDuringSchedulingIgnoredDuringExecution'
    const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
    const place = `${at}.affinity.${kind}`
    return [
      ...items(terms?.[required]).flatMap((term, index) =>
        nullSelector(term, `${place}.${required}[${index}].labelSelector`),
      ),
      ...items(terms?.[preferred]).flatMap((term, index) =>
        nullSelector(term.podAffinityTerm, `${place}.${preferred}[${index}].podAffinityTerm.labelSelector`),
      ),
    ]
  })

const volumeWarnings = (spec: Decoded<PodSpec>, at: string): string[] =>
  items(spec.volumes).flatMap((volume, index) => [
    ...deprecatedVolumes.flatMap(([source, sentence, shown = source]) =>
      volume[source] ? [`${at}.volumes[${index}].${shown}: ${sentence}`] : [],
    ),
    ...claimSpecWarnings(
      volume.ephemeral?.volumeClaimTemplate?.spec,
      `${at}.volumes[${index}].ephemeral.volumeClaimTemplate.spec`,
    ),
  ])

const duplicates = (values: readonly (string | undefined)[], key: string, place: string): string[] => {
  const seen = new Set<string | undefined>()
  return values.flatMap((value, index) => {
    if (!seen.has(value)) {
      seen.add(value)
      return []
    }
    return [`${place}[${index}].${key}: duplicate ${key} ${goQuote(value ?? '')}`]
  })
}

const appArmorSentence = 'deprecated since v1.30; use the "appArmorProfile" field instead'

const seccompWarnings = (
  [container]: PlacedContainer,
  annotations: Readonly<Record<string, string>>,
  place: string,
): string[] => {
  const key = `${seccompContainerAnnotation}${container.name}`
  return annotations[key] !== undefined && !container.securityContext?.seccompProfile
    ? [`${place}[${key}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
    : []
}

const hiddenVariables = ([container, at]: PlacedContainer): string[] => {
  const seen = new Set<string>()
  return items(container.env).flatMap((variable, index) => {
    const name = variable.name ?? ''
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    const reference = `$(${name})`
    const value = variable.value ?? ''
    const keeps = !variable.valueFrom && value !== reference && value.includes(reference)
    return keeps
      ? []
      : [`${at}.env[${index}]: hides previous definition of ${goQuote(name)}, which may be dropped when using apply`]
  })
}

/** As Go prints the struct. */
const goPort = ({
  name = '',
  hostPort = 0,
  containerPort = 0,
  protocol,
  hostIP = '',
}: Decoded<ContainerPort>): string =>
  `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol ?? ''} HostIP:${hostIP}}`

interface Port {
  readonly at: string
  readonly hostIP: string
  readonly hostPort: number
}

const portWarnings = (containers: readonly PlacedContainer[]): string[] => {
  const sentences: string[] = []
  const known = new Map<string, Port[]>()
  const names = new Map<string, string>()
  const said: string[] = []
  for (const [container, place] of containers) {
    items(container.ports).forEach((port, index) => {
      const at = `${place}.ports[${index}]`
      const mine: Port = { at, hostIP: port.hostIP ?? '', hostPort: port.hostPort ?? 0 }
      if (mine.hostIP !== '' && mine.hostPort === 0)
        sentences.push(`${at}: hostIP set without hostPort: ${goPort(port)}`)
      const key = `${port.containerPort}/${port.protocol ?? 'TCP'}`
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
      const name = port.name ?? ''
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

/**
 * Warnings of a workload: of its name when it is made, of its template then and when its generation moves.
 * `named` is false for kinds whose names must be those of hosts anyway.
 */
export const templateWarnings =
  <Kind extends { readonly metadata: ObjectMeta }>(
    templateOf: (object: Kind) => Decoded<PodTemplateSpec> | undefined,
    field: string,
    named = true,
  ) =>
  (next: Kind, before: Kind | undefined): string[] => [
    ...(named && !before ? nameWarnings(next.metadata.name) : []),
    ...(before && before.metadata.generation === next.metadata.generation ? [] : podWarnings(templateOf(next), field)),
  ]
