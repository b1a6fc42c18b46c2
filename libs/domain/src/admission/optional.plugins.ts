// Admission plugins that are off by default, as upstream; `--enable-admission-plugins` turns them on.
import type { Service, Toleration } from '@shiplog/api/generated/types/core-v1'
import { notSupported } from '@shiplog/api/field-errors'
import { ApiError, forbidden } from '@shiplog/api/status'
import { type AdmissionAttributes, type AdmissionPlugin, createdPod, lookUp, podOf } from '../admission.ts'
import { items, section, semanticEqual } from '../fields.ts'
import { isExtendedResource } from '../pod/extended-resources.ts'
import { containersOf } from '../pod/containers.ts'

const refused = ({ group, resource, name }: AdmissionAttributes, why: string): ApiError =>
  new ApiError(forbidden({ group, resource }, name, why))

const always = 'Always'

/** Of the pod and its image volumes: where each says when to pull, and what it says. */
const pullPoliciesOf = (attributes: AdmissionAttributes): readonly PullPolicy[] => {
  const spec = podOf(attributes)?.spec
  if (!spec || keepsImages(attributes)) return []
  return [
    ...containersOf(spec, 'spec').map(([container, at]) => ({
      ...{ at: `${at}.imagePullPolicy`, said: container.imagePullPolicy ?? '' },
      pullAlways: () => void (container.imagePullPolicy = always),
    })),
    ...items(spec.volumes).flatMap(({ image }, index) =>
      image
        ? [
            {
              ...{ at: `spec.volumes[${index}].image.pullPolicy`, said: image.pullPolicy ?? '' },
              pullAlways: () => void (image.pullPolicy = always),
            },
          ]
        : [],
    ),
  ]
}

interface PullPolicy {
  readonly at: string
  readonly said: string
  pullAlways(): void
}

/** An update that brings no image that was not there before. */
function keepsImages({ operation, object, before }: AdmissionAttributes): boolean {
  if (operation !== 'UPDATE' || !object || !before) return false
  const imagesOf = (of: object): readonly (string | undefined)[] =>
    containersOf((of as { readonly spec?: object }).spec ?? {}, 'spec').map(([{ image }]) => image)
  const known = new Set(imagesOf(before))
  return imagesOf(object).every((image) => known.has(image))
}

/** AlwaysPullImages: nobody runs a private image because it happens to be on the node. */
export const alwaysPullImages: AdmissionPlugin = {
  name: 'AlwaysPullImages',
  admit: (attributes) => {
    for (const policy of pullPoliciesOf(attributes)) policy.pullAlways()
  },
  validate: (attributes) => {
    const wrong = pullPoliciesOf(attributes).find(({ said }) => said !== always)
    if (!wrong) return
    const { field = '', message } = notSupported(wrong.at, wrong.said, [always])
    throw refused(attributes, `${field}: ${message}`)
  },
}

const hostnameLabel = 'kubernetes.io/hostname'

/** LimitPodHardAntiAffinityTopology: nobody keeps others off a whole zone. */
export const limitPodHardAntiAffinityTopology: AdmissionPlugin = {
  name: 'LimitPodHardAntiAffinityTopology',
  validate: (attributes) => {
    const terms = podOf(attributes)?.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    const wide = items(terms).find(({ topologyKey }) => topologyKey !== hostnameLabel)
    if (!wide) return
    const why = `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${wide.topologyKey ?? ''} but only key ${hostnameLabel} is allowed`
    throw refused(attributes, why)
  },
}

/** ExtendedResourceToleration: who asks for a device may run on the nodes that are kept for those who do. */
export const extendedResourceToleration: AdmissionPlugin = {
  name: 'ExtendedResourceToleration',
  admit: (attributes) => {
    const pod = podOf(attributes)
    if (!pod) return
    const spec = section(pod, 'spec')
    const asked = [...items(spec.containers), ...items(spec.initContainers)].flatMap(({ resources }) =>
      Object.keys(resources?.requests ?? {}).filter(isExtendedResource),
    )
    for (const key of [...new Set(asked)].sort()) {
      const toleration: Toleration = { key, operator: 'Exists', effect: 'NoSchedule' }
      const own = items(spec.tolerations)
      if (!own.some((one) => semanticEqual(one, toleration))) spec.tolerations = [...own, toleration]
    }
  },
}

/** DenyServiceExternalIPs: nobody takes addresses that are not theirs (CVE-2020-8554). */
export const denyServiceExternalIps: AdmissionPlugin = {
  name: 'DenyServiceExternalIPs',
  validate: (attributes) => {
    const { group, resource, subresource, object, before } = attributes
    if (group !== '' || resource !== 'services' || subresource !== '' || !object) return
    const known = items((before as Service | undefined)?.spec?.externalIPs)
    const isNew = items((object as unknown as Service).spec?.externalIPs).some((ip) => !known.includes(ip))
    if (isNew) throw refused(attributes, 'Use of external IPs is denied by admission control')
  },
}

const nodeSelectorAnnotation = 'scheduler.alpha.kubernetes.io/node-selector'

/** `a=b,c=d` as labels; what cannot be read is refused. */
function labelsOf(attributes: AdmissionAttributes, text: string): ReadonlyMap<string, string> {
  const labels = new Map<string, string>()
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const [key = '', value, ...more] = part.split('=')
    if (value === undefined || more.length > 0) throw refused(attributes, `invalid selector: ${text}`)
    labels.set(key.trim(), value.trim())
  }
  return labels
}

/** PodNodeSelector: pods run on the nodes of their namespace. Its configuration file (defaults and allow lists) is not read. */
export const podNodeSelector: AdmissionPlugin = {
  name: 'PodNodeSelector',
  admit: (attributes, view) => {
    const pod = createdPod(attributes)
    if (!pod) return
    const namespace = lookUp(view, 'namespaces', '', attributes.namespace)
    const wanted = labelsOf(attributes, namespace?.metadata.annotations?.[nodeSelectorAnnotation] ?? '')
    if (wanted.size === 0) return
    const spec = section(pod, 'spec')
    const own: Readonly<Record<string, string>> = spec.nodeSelector ?? {}
    if ([...wanted].some(([key, value]) => own[key] !== undefined && own[key] !== value))
      throw refused(attributes, 'pod node label selector conflicts with its namespace node label selector')
    spec.nodeSelector = { ...Object.fromEntries(wanted), ...own }
  },
}
