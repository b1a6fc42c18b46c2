// The profiles of one scheduler: pods say by spec.schedulerName which of them decides. They share a queue and a snapshot.
import { createProfile, type Profile, type SchedulerConfiguration } from './configuration.ts'

export interface Profiles {
  /** What all have in common (the order of the queue, back-off) is the first one's. */
  readonly first: Profile
  readonly all: readonly Profile[]
  /** Undefined: pods of this name are not this scheduler's. */
  of(schedulerName: string): Profile | undefined
}

/** Throws when two are of one name, or do not order the queue alike. */
export function createProfiles(configurations: readonly SchedulerConfiguration[]): Profiles {
  const all = configurations.map(createProfile)
  const [first] = all
  if (first === undefined) throw new Error('at least one profile is required')
  const byName = new Map<string, Profile>()
  const orderOf = ({ plugins }: Profile): string | undefined => plugins.find(({ queueSort }) => queueSort)?.name
  for (const profile of all) {
    const { schedulerName } = profile.configuration
    if (byName.has(schedulerName)) throw new Error(`profile "${schedulerName}" is there twice`)
    if (orderOf(profile) !== orderOf(first)) throw new Error('all profiles must have the same queue sort plugin')
    byName.set(schedulerName, profile)
  }
  return { first, all, of: (schedulerName) => byName.get(schedulerName) }
}
