// What every page needs to know: who asks, what kinds there are, which moment and which namespace are looked at.
import { createContext, use } from 'react'
import type { SessionInfo } from './data/api.ts'
import { type Kind, keyOf } from './data/kinds.ts'

export interface ClusterState {
  readonly session: SessionInfo
  readonly kinds: readonly Kind[]
  /** A sequence or a time; undefined for the present. */
  readonly at: string | undefined
  /** The other moment of a comparison: what it was before. */
  readonly versus: string | undefined
  /** '' for all. */
  readonly namespace: string
}

export const ClusterContext = createContext<ClusterState | undefined>(undefined)

export const useCluster = (): ClusterState => use(ClusterContext)!

export const kindNamed = (kinds: readonly Kind[], key: string): Kind | undefined => kinds.find((kind) => keyOf(kind) === key)

/** Of an owner reference or another object's type. */
export const kindOf = (kinds: readonly Kind[], apiVersion: string, kind: string): Kind | undefined => {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  return kinds.find((one) => one.group === group && one.kind === kind)
}
