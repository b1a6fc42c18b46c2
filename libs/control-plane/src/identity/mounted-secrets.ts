// Which secrets pods use: a token that lies in one of them is in use, whether or not anybody has shown it.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { referencesOf } from '@shiplog/domain/pod/pod-references'

/** Names of the secrets that pods use, in whatever way. */
export function secretsUsedBy(pods: Iterable<Pod>): ReadonlySet<string> {
  const names = new Set<string>()
  for (const pod of pods)
    for (const { resource, name } of referencesOf(pod)) if (resource === 'secrets') names.add(name)
  return names
}
