// Content negotiation of answers: plain JSON, Tables, metadata-only objects, YAML. Protobuf answers are a later issue: clients
// that ask for them list JSON as well, and get it.
import { ApiError, noRepresentation, notAcceptable } from '@shiplog/api/status'

export type Representation =
  | { readonly as: 'object'; readonly yaml: boolean }
  | { readonly as: 'table'; readonly yaml: boolean; readonly version: 'v1' | 'v1beta1' }
  | {
      readonly as: 'metadata'
      readonly yaml: boolean
      readonly version: 'v1' | 'v1beta1'
      /** Of one object or of a list: asked for the other, nothing is acceptable. */
      readonly of: 'object' | 'list'
    }

const versions: readonly unknown[] = ['v1', 'v1beta1']

export const servableMediaTypes = ['application/json', 'application/yaml']

/** Picks the first representation that the Accept header names and that can be served; throws 406 when there is none. */
export function negotiate(accept: string | undefined): Representation {
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json')
    return { as: 'object', yaml: false }
  let known = false
  for (const range of byQuality(accept)) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    const parameter = new Map(
      parameters.map((text) => text.split('=', 2).map((part) => part.trim()) as [string, string]),
    )
    const target = parameter.get('as')
    const yaml = type === 'application/yaml'
    if (type !== 'application/json' && type !== '*/*' && !yaml) continue
    known = true
    if (target === undefined) return { as: 'object', yaml }
    if (parameter.get('g') !== 'meta.k8s.io' || !versions.includes(parameter.get('v'))) continue
    // The older version of these forms is the same but for its name.
    const version = parameter.get('v') as 'v1' | 'v1beta1'
    if (target === 'Table') return { as: 'table', yaml, version }
    if (target === 'PartialObjectMetadata' || target === 'PartialObjectMetadataList')
      return { as: 'metadata', yaml, version, of: target === 'PartialObjectMetadata' ? 'object' : 'list' }
  }
  throw new ApiError(known ? notAcceptable(servableMediaTypes) : noRepresentation(servableMediaTypes))
}

function byQuality(accept: string): string[] {
  const ranges = accept.split(',').map((range, index) => {
    const quality = /;\s*q=([0-9.]+)/.exec(range)
    return { range: range.replace(/;\s*q=[0-9.]+/, ''), quality: quality ? Number(quality[1]) : 1, index }
  })
  return ranges
    .sort((a, b) => b.quality - a.quality || a.index - b.index)
    .map(({ range }) => range)
}
