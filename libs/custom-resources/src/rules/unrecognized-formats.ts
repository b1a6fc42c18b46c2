// Formats that mean nothing: a schema may have them, and whoever writes one is told
// (k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition).
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import { supportedFormat } from '../validation/formats.ts'
import { eachSchema, type Props } from './props.ts'

/** One entry for each place. */
export const unrecognizedFormats = (schema: JSONSchemaProps): readonly string[] => {
  const found: string[] = []
  eachSchema(schema as Props, ({ type = '', format = '' }) => {
    if (format !== '' && supportedFormat(type, format) === '') found.push(format)
  })
  return found
}
