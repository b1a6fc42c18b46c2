// The profile that a decision was made with: the default one, or what its scheduler said of it in the log.
import { createProfile, defaultConfiguration, type Profile } from '../framework/configuration.ts'
import { withOpinion } from '../framework/extenders.ts'
import type { AttemptInput, AttemptLog } from './attempt-log.ts'

/** The profile as it was for this decision: with what extenders said to it. */
export function profileFor({ extenders }: AttemptInput, profile: Profile): Profile | { readonly unknown: string } {
  if (extenders === undefined) return profile
  return 'tooLong' in extenders ? { unknown: 'what extenders said was too long to be recorded' } : withOpinion(profile, extenders)
}

export interface RecordedProfiles {
  of(input: Pick<AttemptInput, 'configuration'>): Profile | { readonly unknown: string }
  /** What a scheduler of this name was last seen to decide with; the default one when it was not seen yet. */
  lastOf(schedulerName: string): Profile
}

export function recordedProfiles({ configurations, attempts }: Pick<AttemptLog, 'configurations' | 'attempts'>): RecordedProfiles {
  const own = createProfile(defaultConfiguration)
  const known = new Map<string, ReturnType<RecordedProfiles['of']>>([[own.hash, own]])

  const make = (hash: string): ReturnType<RecordedProfiles['of']> => {
    const configuration = configurations.get(hash)
    if (configuration === undefined) return { unknown: `it was made with another configuration, ${hash}, which the log does not hold` }
    try {
      const profile = createProfile(configuration)
      if (profile.hash === hash) return profile
    } catch {
      // Of a version that had other plugins: said below.
    }
    return { unknown: `it was made with the configuration ${hash}, which means something else to this version` }
  }

  const of: RecordedProfiles['of'] = ({ configuration }) => {
    let profile = known.get(configuration)
    if (profile === undefined) known.set(configuration, (profile = make(configuration)))
    return profile
  }

  return {
    of,
    lastOf(schedulerName) {
      const last = attempts.findLast(({ input }) => input.scheduler === schedulerName)
      const profile = last && of(last.input)
      return profile === undefined || 'unknown' in profile ? own : profile
    },
  }
}
