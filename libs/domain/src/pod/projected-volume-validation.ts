// Projected volumes: ConfigMaps, Secrets, tokens and the pod's own fields in one directory.
import { forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import type { ProjectedVolumeSource } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items, requiredText } from '../fields.ts'
import { validateDownwardItems } from './downward-api-validation.ts'
import { validateKeyToPath, validateLocalNonReservedPath, validateMode } from './volume-path-validation.ts'

const tokenExpirationSecondsMin = 600
const tokenExpirationSecondsMax = 2 ** 32

/** A volume of several sources. */
export const validateProjected = (projected: Decoded<ProjectedVolumeSource>, field: string): StatusCause[] => {
  const causes = validateMode(projected.defaultMode, `${field}.defaultMode`)
  const paths = new Set<string>()
  items(projected.sources).forEach((source, index) => {
    const at = `${field}.sources[${index}]`
    const { secret, configMap, downwardAPI } = source
    for (const { path = '', shown } of [
      // Upstream shows the object, where there is one.
      ...items(secret?.items).map(({ path }) => ({ path, shown: secret?.name ?? '' })),
      ...items(configMap?.items).map(({ path }) => ({ path, shown: configMap?.name ?? '' })),
      ...items(downwardAPI?.items).map(({ path }) => ({ path, shown: path })),
    ]) {
      if (path !== '' && paths.has(path)) causes.push(invalidValue(field, shown, 'conflicting duplicate paths'))
      paths.add(path)
    }
    const kinds = [secret, configMap, downwardAPI, source.serviceAccountToken].filter(Boolean)
    // Upstream tells of the source, not of the kind that is one too many.
    if (kinds.length > 1) causes.push(forbiddenField(at, 'may not specify more than 1 volume type per source'))
    for (const kind of ['secret', 'configMap'] as const) {
      const reference = source[kind]
      if (!reference) continue
      causes.push(...requiredText(reference.name, `${at}.${kind}.name`))
      causes.push(...validateKeyToPath(reference.items, `${at}.${kind}.items`))
    }
    if (downwardAPI) causes.push(...validateDownwardItems(downwardAPI.items, `${at}.downwardAPI`))
    const token = source.serviceAccountToken
    if (token) {
      const seconds = token.expirationSeconds
      const secondsField = `${at}.serviceAccountToken.expirationSeconds`
      if (typeof seconds === 'number' && seconds < tokenExpirationSecondsMin)
        causes.push(invalidValue(secondsField, seconds, 'may not specify a duration less than 10 minutes'))
      if (typeof seconds === 'number' && seconds > tokenExpirationSecondsMax)
        causes.push(invalidValue(secondsField, seconds, 'may not specify a duration larger than 2^32 seconds'))
      if (!token.path) causes.push(required(`${field}.path`))
      else causes.push(...validateLocalNonReservedPath(token.path, `${field}.path`))
    }
  })
  return causes
}
