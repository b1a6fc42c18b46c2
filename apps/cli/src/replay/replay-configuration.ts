// A scheduler configuration from a file, for a scheduler or for replays under another one.
import { readFileSync } from 'node:fs'
import type { SchedulerConfiguration } from '@shiplog/scheduling/framework/configuration'
import { type ConfigurationFile, parseConfigurationFile } from '@shiplog/scheduling/framework/configuration-file'
import { createProfiles, type Profiles } from '@shiplog/scheduling/framework/profiles'

/** Throws with the file's name when it cannot be used. */
function readFile(path: string): ConfigurationFile & { readonly ready: Profiles } {
  try {
    const file = parseConfigurationFile(readFileSync(path, 'utf8'))
    return { ...file, ready: createProfiles(file.profiles) }
  } catch (error) {
    throw new Error(`${path} is no scheduler configuration: ${(error as Error).message}`, { cause: error })
  }
}

/** Throws with the file's name when it cannot be used. */
export const profilesFromFile = (path: string): Profiles => readFile(path).ready

/** As above, for a scheduler that is to run with it; what makes no difference here is told. */
export function readProfiles(path: string, tell: (line: string) => void): readonly SchedulerConfiguration[] {
  const { profiles, notices } = readFile(path)
  for (const notice of notices) tell(`${path}: ${notice}`)
  return profiles
}
