// What a check of Pod Security is, and how checks word what they found.
import type { Decoded } from '@shiplog/api/decoded'
import type {
  EphemeralContainer,
  PodSecurityContext,
  PodSpec,
  PodTemplateSpec,
} from '@shiplog/api/generated/types/core-v1'
import { containersOf } from '../pod/containers.ts'

export type CheckedContainer = Decoded<EphemeralContainer>

/** A pod, or the template of pods, taken apart once for all checks. */
export interface CheckedPod {
  readonly annotations: Readonly<Record<string, string>>
  readonly spec: Decoded<PodSpec>
  readonly context: Decoded<PodSecurityContext>
  /** Of all lists: init containers first, ephemeral ones last. */
  readonly containers: readonly CheckedContainer[]
}

/** The reason is all that is said of many pods; of one pod the detail is said too. */
export interface Violation {
  readonly reason: string
  readonly detail: string
}

export type CheckPod = (pod: CheckedPod) => Violation | undefined

export interface Check {
  readonly id: string
  /** The check as of each minor version of 1.x in which it changed, ascending; before the first there is none. */
  readonly versions: readonly (readonly [since: number, check: CheckPod])[]
  /** The baseline check that this restricted one includes. */
  readonly overrides?: string
}

export const checkedPod = ({ metadata, spec = {} }: Decoded<PodTemplateSpec>): CheckedPod => ({
  annotations: metadata?.annotations ?? {},
  spec,
  context: spec.securityContext ?? {},
  containers: containersOf(spec, 'spec').map(([container]) => container),
})

/** Windows has no such setting, and validation refuses the field there. */
export const unlessWindows =
  (check: CheckPod): CheckPod =>
  (pod) =>
    pod.spec.os?.name === 'windows' ? undefined : check(pod)

/** In a user namespace, root is nobody on the node. */
export const unlessUserNamespace =
  (check: CheckPod): CheckPod =>
  (pod) =>
    pod.spec.hostUsers === false ? undefined : check(pod)

export const plural = (singular: string, count: number, several = `${singular}s`): string =>
  count === 1 ? singular : several

export const quoteList = (texts: readonly string[]): string => texts.map((text) => `"${text}"`).join(', ')

export const namesOf = (containers: readonly CheckedContainer[]): string[] => containers.map(({ name }) => name ?? '')

/** `containers "a", "b"`. */
export const containersText = (names: readonly string[]): string =>
  `${plural('container', names.length)} ${quoteList(names)}`

/** `pod and container "a"`: who says something that is forbidden. */
export const settersText = (isPod: boolean, containers: readonly CheckedContainer[]): string =>
  [...(isPod ? ['pod'] : []), ...(containers.length > 0 ? [containersText(namesOf(containers))] : [])].join(' and ')

/** Each once, sorted by code unit. */
export const distinct = (texts: Iterable<string>): string[] => [...new Set(texts)].sort()
