// All containers of a pod, whichever list they are in.
import type { EphemeralContainer, PodSpec } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { items } from '../fields.ts'

/** The lists of containers, in the order in which upstream visits them. */
export const containerLists = ['initContainers', 'containers', 'ephemeralContainers'] as const

/** A container, and where it is: `spec.containers[0]`. An ephemeral container has the fields of the others and one more. */
export type PlacedContainer = readonly [container: Decoded<EphemeralContainer>, at: string]

/** The containers of the spec at `field`. */
export const containersOf = (spec: Decoded<PodSpec>, field: string): PlacedContainer[] =>
  containerLists.flatMap((list) =>
    items<Decoded<EphemeralContainer>>(spec[list]).map(
      (container, index): PlacedContainer => [container, `${field}.${list}[${index}]`],
    ),
  )
