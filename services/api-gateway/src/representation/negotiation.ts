// Content negotiation of answers: plain JSON, Tables, metadata-only objects, YAML, and protobuf for kinds that have it.
import { ApiError, noRepresentation, notAcceptable } from '@shiplog/api/status'

export type Representation =
  | { readonly as: 'object'; readonly yaml: boolean; readonly protobuf?: true }
  | { readonly as: 'table'; readonly yaml: boolean; readonly version: 'v1' | 'v1beta1' }
  | {
      readonly as: 'metadata'
      readonly yaml: boolean
      readonly version: 'v1' | 'v1beta1'
      /** Of one object or of a list: asked for the other, nothing is acceptable. */
      readonly of: 'object' | 'list'
      readonly protobuf?: true
    }

const versions: readonly unknown[] = ['v1', 'v1beta1']

export const protobufMediaType = 'application/vnd.kubernetes.protobuf'

/** Of kinds that users bring there is no protobuf. */
export const servableMediaTypes = (hasProtobuf: boolean): readonly string[] => [
  ...['application/json', 'application/yaml'],
  ...(hasProtobuf ? [protobufMediaType] : []),
]

/** What upstream says of a request that may be a watch: a list, and a watch itself. */
const withStreams = (hasProtobuf: boolean): readonly string[] => [
  ...servableMediaTypes(hasProtobuf),
  'application/json;stream=watch',
  ...(hasProtobuf ? [`${protobufMediaType};stream=watch`] : []),
]

/** Picks the first representation that the Accept header names and that can be served; throws 406 when there is none. `mayWatch` for lists and watches. */
export function negotiate(accept: string | undefined, hasProtobuf: boolean, mayWatch = false): Representation {
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
    const protobuf = hasProtobuf && type === protobufMediaType
    if (type !== 'application/json' && type !== '*/*' && !yaml && !protobuf) continue
    known = true
    const encoding = protobuf ? ({ yaml, protobuf } as const) : { yaml }
    if (target === undefined) return { as: 'object', ...encoding }
    if (parameter.get('g') !== 'meta.k8s.io' || !versions.includes(parameter.get('v'))) continue
    // The older version of these forms is the same but for its name.
    const version = parameter.get('v') as 'v1' | 'v1beta1'
    // A Table has no form in protobuf.
    if (target === 'Table' && !protobuf) return { as: 'table', yaml, version }
    if (target === 'PartialObjectMetadata' || target === 'PartialObjectMetadataList')
      return { as: 'metadata', ...encoding, version, of: target === 'PartialObjectMetadata' ? 'object' : 'list' }
  }
  const servable = mayWatch ? withStreams(hasProtobuf) : servableMediaTypes(hasProtobuf)
  throw new ApiError(known ? notAcceptable(servable) : noRepresentation(servable))
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
