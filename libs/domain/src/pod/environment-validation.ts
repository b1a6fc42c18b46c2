// The environment of a container: variables, where their values come from, and maps of variables.
import { invalidValue, notFoundField, notSupported, required } from '@shiplog/api/field-errors'
import type { Container, EnvVar, EnvVarSource } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { byRule, items, requiredName, requiredText } from '../fields.ts'
import { configMapKey, dns1123Subdomain, envVarName } from '../names.ts'
import { podFieldPaths, validateResourceFieldRef } from './downward-api-validation.ts'

const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

const validateValueFrom = (
  variable: Decoded<EnvVar>,
  source: Decoded<EnvVarSource>,
  field: string,
  volumeNames: ReadonlySet<string>,
): StatusCause[] => {
  const kinds = Object.values(source).filter(Boolean)
  const causes: StatusCause[] = []
  const fieldRef = source.fieldRef
  if (fieldRef) {
    const path = fieldRef.fieldPath
    if (!fieldRef.apiVersion) causes.push(required(`${field}.fieldRef.apiVersion`))
    else if (!path) causes.push(required(`${field}.fieldRef.fieldPath`))
    else if (!envFieldPaths.includes(path) && !/^metadata\.(labels|annotations)\['.+'\]$/.test(path))
      causes.push(
        podFieldPaths.includes(path) || path.startsWith('metadata.')
          ? notSupported(`${field}.fieldRef.fieldPath`, path, envFieldPaths)
          : invalidValue(
              `${field}.fieldRef.fieldPath`,
              path,
              `error converting fieldPath: field label not supported: ${path}`,
            ),
      )
  }
  if (source.resourceFieldRef)
    causes.push(...validateResourceFieldRef(source.resourceFieldRef, `${field}.resourceFieldRef`, false))
  const file = source.fileKeyRef
  if (file) {
    for (const key of ['volumeName', 'path', 'key'] as const)
      causes.push(...requiredText(file[key], `${field}.fileKeyRef.${key}`))
    const { volumeName = '' } = file
    if (!volumeNames.has(volumeName)) causes.push(notFoundField(`${field}.fileKeyRef.volumeName`, volumeName))
  }
  for (const kind of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const reference = source[kind]
    if (!reference) continue
    causes.push(...byRule(dns1123Subdomain, reference.name ?? '', `${field}.${kind}.name`))
    causes.push(...requiredName(configMapKey, reference.key, `${field}.${kind}.key`))
  }
  if (kinds.length === 0)
    causes.push(
      invalidValue(
        field,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    )
  else if (variable.value) causes.push(invalidValue(field, '', 'may not be specified when `value` is not empty'))
  else if (kinds.length > 1)
    causes.push(invalidValue(field, '', 'may not have more than one field specified at a time'))
  return causes
}

/** `env` and `envFrom`. */
export const validateEnv = (
  container: Decoded<Container>,
  field: string,
  volumeNames: ReadonlySet<string>,
): StatusCause[] => {
  const causes: StatusCause[] = []
  items(container.envFrom).forEach((source, index) => {
    const at = `${field}.envFrom[${index}]`
    if (source.prefix) causes.push(...byRule(envVarName, source.prefix, `${at}.prefix`))
    const kinds = (['configMapRef', 'secretRef'] as const).filter((kind) => source[kind])
    for (const kind of kinds) causes.push(...requiredName(dns1123Subdomain, source[kind]?.name, `${at}.${kind}.name`))
    const all = `${field}.envFrom`
    if (kinds.length === 0) causes.push(invalidValue(all, '', 'must specify one of: `configMapRef` or `secretRef`'))
    if (kinds.length > 1) causes.push(invalidValue(all, '', 'may not have more than one field specified at a time'))
  })
  items(container.env).forEach((variable, index) => {
    const at = `${field}.env[${index}]`
    causes.push(...requiredName(envVarName, variable.name, `${at}.name`))
    if (variable.valueFrom)
      causes.push(...validateValueFrom(variable, variable.valueFrom, `${at}.valueFrom`, volumeNames))
  })
  return causes
}
