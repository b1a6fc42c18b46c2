// Paths and modes of files inside a volume.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { KeyToPath } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { items, requiredText } from '../fields.ts'

const modeSentence = 'must be a number between 0 and 0777 (octal), both inclusive'
const modeMax = 0o777

/** The mode of a file. */
export const validateMode = (mode: unknown, field: string): StatusCause[] =>
  typeof mode === 'number' && (mode < 0 || mode > modeMax) ? [invalidValue(field, mode, modeSentence)] : []

/** A path inside a volume: relative, and never upwards. */
export const validateLocalPath = (path: unknown, field: string): StatusCause[] => {
  const text = String(path ?? '')
  const causes: StatusCause[] = []
  if (text.startsWith('/')) causes.push(invalidValue(field, text, 'must be a relative path'))
  if (text.split('/').includes('..')) causes.push(invalidValue(field, text, "must not contain '..'"))
  return causes
}

/** As `validateLocalPath`; what begins with two dots is for the kubelet. */
export const validateLocalNonReservedPath = (path: unknown, field: string): StatusCause[] => {
  const text = String(path ?? '')
  const causes = validateLocalPath(path, field)
  if (text.startsWith('..') && !text.startsWith('../') && text !== '..')
    causes.push(invalidValue(field, text, "must not start with '..'"))
  return causes
}

/** `items` of a source: which key becomes which file. */
export const validateKeyToPath = (list: Decoded<KeyToPath[]> | undefined, field: string): StatusCause[] =>
  items(list).flatMap((item, index) => {
    const at = `${field}[${index}]`
    return [
      ...requiredText(item.key, `${at}.key`),
      ...(item.path ? validateLocalNonReservedPath(item.path, `${at}.path`) : [required(`${at}.path`)]),
      ...validateMode(item.mode, `${at}.mode`),
    ]
  })
