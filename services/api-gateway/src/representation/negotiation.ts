// Content negotiation of answers: plain JSON, Tables, metadata-only objects, YAML. Protobuf answers are a later issue: clients
// that ask for them list JSON as well, and get it.
import { ApiError, noRepresentation, notAcceptable } from '@shiplog/api/status'

export type Representation =
  | { readonly as: 'object'; readonly yaml: boolean }
  | { readonly as: 'table' }
  | { readonly as: 'metadata' }

const servable = ['application/json', 'application/yaml']

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
    if (type === 'application/json' || type === '*/*' || type === 'application/*') {
      known = true
      if (target === undefined) return { as: 'object', yaml: false }
      if (parameter.get('g') !== 'meta.k8s.io' || parameter.get('v') !== 'v1') continue
      if (target === 'Table') return { as: 'table' }
      if (target === 'PartialObjectMetadata' || target === 'PartialObjectMetadataList') return { as: 'metadata' }
    } else if (type === 'application/yaml' && target === undefined) {
      return { as: 'object', yaml: true }
    }
  }
  throw new ApiError(known ? notAcceptable(servable) : noRepresentation(servable))
}

function byQuality(accept: string): string[] {
  const ranges = accept.split(',').map((range, index) => {
    const quality = /;\s*q=([0-9.]+)/.exec(range)
    return { range: range.replace(/;\s*q=[0-9.]+/, ''), quality: quality ? Number(quality[1]) : 1, index }
  })
  return ranges
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality || a.index - b.index)
    .map(({ range }) => range)
}
