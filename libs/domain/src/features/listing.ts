// The table for readers: what `shiplog features` prints, and the README's list, which a test compares with this.
import { groupResourceOf, type ResourceInfo } from '@shiplog/api/schema/schema'
import type { Feature } from './feature.ts'
import { features } from './features.ts'

export interface ListedFeature {
  /** A resource (`deployments.apps`), or the id of a row about fields or nodes. */
  readonly name: string
  readonly what: string
  readonly state: 'works' | Feature['state']
  /** What writers are warned with; empty for what works. */
  readonly note: string
}

/** Every resource that is served, then everything else that is accepted and ignored, refused, or so by design. */
export function listFeatures(resources: readonly ResourceInfo[]): readonly ListedFeature[] {
  const rows = new Map(features.map((feature) => [feature.id, feature]))
  const kinds = new Map<string, ListedFeature>()
  for (const { group, resource, kind, storageGroup } of resources) {
    const name = groupResourceOf(group, resource)
    const row = rows.get(groupResourceOf(storageGroup, resource))
    const isStoredOnly = row?.state === 'stored only'
    kinds.set(name, {
      name,
      what: isStoredOnly ? row.docs : kind,
      state: isStoredOnly ? row.state : 'works',
      note: isStoredOnly ? row.sentence : '',
    })
  }
  const others = features
    .filter(({ state }) => state !== 'stored only')
    .map(({ id, docs, state, sentence }) => ({ name: id, what: docs, state, note: sentence }))
  return [...kinds.values(), ...others]
}

const namesOf = (state: Feature['state']): string =>
  features
    .filter((feature) => feature.state === state)
    .map(({ docs }) => docs)
    .join('; ')

/** The README's list of what is not there, as Markdown. */
export const readmeList = (): string =>
  [
    `- Stored and served, and nothing of Shiplog acts on them: ${namesOf('stored only')}.`,
    `- Accepted and ignored: ${namesOf('ignored')}.`,
    `- Answered with an error: ${namesOf('refused')}.`,
  ].join('\n')
