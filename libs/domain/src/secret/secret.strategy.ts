// Secrets: bytes by key, with a type that says which keys there must be.
import { goKindOf } from '@shiplog/api/decode/decode-error'
import { invalidValue, required, tooLong } from '@shiplog/api/field-errors'
import { scanJson } from '@shiplog/api/decode/json-scanner'
import type { Secret } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Draft } from '@shiplog/api/decoded'
import type { Strategy } from '../strategy.ts'
import { validateImmutability } from '../config-map/config-map.strategy.ts'
import { base64Bytes, dataBytesMax } from '../config-map/data-size.ts'
import { byRule, entries, fillText, immutable, keep, section, setOwn } from '../fields.ts'
import { configMapKey } from '../names.ts'

type Data = Readonly<Record<string, string>>

const utf8 = new TextEncoder()

const base64OfText = (text: string): string => utf8.encode(text).toBase64()

/** Decoded text of one base64 value, or undefined when it is not one. */
const textOfBase64 = (value: string | undefined): string | undefined => {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(String(value)))
  } catch {
    return undefined
  }
}

/** `stringData` is write-only: it is merged into `data` and never stored. */
const setDefaults = (draft: Draft<Secret>): void => {
  fillText(draft, 'type', 'Opaque')
  const texts = draft.stringData
  if (texts === undefined) return
  delete draft.stringData
  const pairs = entries(texts)
  if (pairs.length === 0) return
  const data = section(draft, 'data')
  for (const [key, value] of pairs) if (typeof value === 'string') setOwn(data, key, base64OfText(value))
}

const requireKeys = (data: Data, ...keys: readonly string[]): StatusCause[] =>
  keys.filter((key) => !Object.hasOwn(data, key)).map((key) => required(`data[${key}]`))

const validateDockerConfig = (data: Data, key: string): StatusCause[] => {
  if (!Object.hasOwn(data, key)) return [required(`data[${key}]`)]
  const text = textOfBase64(data[key]) ?? ''
  const refuse = (why: string): StatusCause[] => [invalidValue(`data[${key}]`, '<secret contents redacted>', why)]
  const { error } = scanJson(text)
  if (error) return refuse(error)
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed === 'object' && !Array.isArray(parsed)) return []
  return refuse(`json: cannot unmarshal ${goKindOf(parsed)} into Go value of type map[string]interface {}`)
}

const validateByType = (secret: Draft<Secret>): StatusCause[] => {
  const data = secret.data ?? {}
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      return secret.metadata.annotations?.['kubernetes.io/service-account.name']
        ? []
        : [required('metadata.annotations[kubernetes.io/service-account.name]')]
    case 'kubernetes.io/dockercfg':
      return validateDockerConfig(data, '.dockercfg')
    case 'kubernetes.io/dockerconfigjson':
      return validateDockerConfig(data, '.dockerconfigjson')
    case 'kubernetes.io/basic-auth':
      return Object.hasOwn(data, 'username') || Object.hasOwn(data, 'password')
        ? []
        : [required('data[username]'), required('data[password]')]
    case 'kubernetes.io/ssh-auth':
      return data['ssh-privatekey'] ? [] : [required('data[ssh-privatekey]')]
    case 'kubernetes.io/tls':
      return requireKeys(data, 'tls.crt', 'tls.key')
    default:
      return []
  }
}

const validate = (secret: Draft<Secret>): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const [key] of entries(secret.data)) causes.push(...byRule(configMapKey, key, `data[${key}]`))
  if (base64Bytes(secret.data) > dataBytesMax) causes.push(tooLong('data', dataBytesMax))
  return [...causes, ...validateByType(secret)]
}

export const secretStrategy: Strategy<Secret> = {
  hasGeneration: false,
  setDefaults,
  // A PUT that leaves the type out keeps it; defaulting made it Opaque.
  prepareForUpdate: (draft, before) => {
    if (!draft.type) keep(draft, before, 'type')
  },
  validate,
  warnings: ({ type, data }) =>
    type === 'kubernetes.io/tls' && !/-----BEGIN CERTIFICATE-----/.test(textOfBase64(data?.['tls.crt']) ?? '')
      ? ['tls: failed to find any PEM data in certificate input']
      : [],
  validateUpdate: (next, before) => [
    ...immutable(next.type, before.type, 'type'),
    ...validateImmutability(next, before, ['data']),
  ],
  selectableFields: (secret) => ({ type: secret.type ?? '' }),
}
