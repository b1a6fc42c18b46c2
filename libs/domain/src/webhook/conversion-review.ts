// ConversionReviews: what a conversion webhook is asked, and what it may answer. Sentences as upstream's
// (k8s.io/apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go).
import { goKindOf } from '@shiplog/api/decode/decode-error'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { validateLabels } from '@shiplog/api/selectors'
import { validateAnnotations } from '../metadata-validation.ts'

const reviewGroup = 'apiextensions.k8s.io'
const reviewVersions = ['v1', 'v1beta1']

/** Objects of one kind that a webhook is to give in another version. */
export interface ConversionRequest {
  readonly uid: string
  readonly objects: readonly KubeObject[]
  /** `stable.example.com/v2`. */
  readonly apiVersion: string
  /** The versions of ConversionReview that the webhook knows, by its preference. */
  readonly reviewVersions: readonly string[]
}

/** The webhook's answer cannot be taken, in upstream's words. */
export interface ConversionProblem {
  readonly problem: string
}

export function conversionReview({ uid, objects, apiVersion, reviewVersions: known }: ConversionRequest): JsonObject | ConversionProblem {
  const version = known.find((one) => reviewVersions.includes(one))
  if (!version) return { problem: 'no supported conversion review versions' }
  return {
    kind: 'ConversionReview',
    apiVersion: `${reviewGroup}/${version}`,
    request: { uid, desiredAPIVersion: apiVersion, objects },
  } as unknown as JsonObject
}

/** `stable.example.com/v1, Kind=CronTab`, as Go prints it. */
const printedKind = (apiVersion: string, kind: string): string => `${apiVersion}, Kind=${kind}`

/** What begins every sentence: which kind is converted. Upstream, too, says it of one object, as it reads them one by one. */
const about = ({ objects }: ConversionRequest): string =>
  `conversion webhook for ${printedKind(objects[0]!.apiVersion, objects[0]!.kind)}`

export const conversionFailed = (request: ConversionRequest, why: string): string => `${about(request)} failed: ${why}`

/** The converted objects, in the order of the request. */
export function convertedObjects(request: ConversionRequest, answer: JsonObject): readonly KubeObject[] | ConversionProblem {
  const converted = successOf(request, answer)
  if (typeof converted === 'string') return { problem: conversionFailed(request, converted) }
  const { objects } = request
  if (converted.length !== objects.length)
    return { problem: `${about(request)} returned ${converted.length} objects, expected ${objects.length}` }
  for (const [index, object] of objects.entries()) {
    const why = faultOf(request, object, converted[index], index)
    if (why !== undefined) return { problem: `${about(request)} ${why}` }
  }
  return converted as KubeObject[]
}

/** What may come back: nothing of it is sure. */
interface Answered {
  readonly apiVersion?: unknown
  readonly kind?: unknown
  readonly response?: unknown
}

interface Response {
  readonly uid?: unknown
  readonly result?: unknown
  readonly convertedObjects?: unknown
}

function successOf({ uid, reviewVersions: known }: ConversionRequest, { apiVersion, kind, response: given }: Answered): readonly unknown[] | string {
  const version = known.find((one) => reviewVersions.includes(one))!
  const said = printedKind(String(apiVersion ?? ''), String(kind ?? ''))
  const expected = printedKind(`${reviewGroup}/${version}`, 'ConversionReview')
  if (version === 'v1' && said !== expected) return `expected webhook response of ${expected}, got ${said}`
  if (!isObject(given)) return 'no response provided'
  const response: Response = given
  // The older version never looked at it.
  if (version === 'v1' && response.uid !== uid)
    return `expected response.uid=${goQuote(uid)}, got ${goQuote(String(response.uid ?? ''))}`
  const { status = '', message = '' } = (isObject(response.result) ? response.result : {}) as JsonObject
  if (status !== 'Success') return message ? String(message) : `response.result.status was '${String(status)}', not 'Success'`
  const { convertedObjects: objects = [] } = response
  return Array.isArray(objects) ? objects : []
}

/** What is wrong with one converted object; undefined when nothing is. */
function faultOf({ apiVersion }: ConversionRequest, original: KubeObject, converted: unknown, index: number): string | undefined {
  const at = `invalid object at index ${index}`
  const { kind, apiVersion: said } = (isObject(converted) ? converted : {}) as Answered
  if (!isObject(converted) || !kind) return `returned ${at}: Object 'Kind' is missing in '${JSON.stringify(converted ?? null)}'`
  const version = String(said ?? '')
  if (version !== apiVersion)
    return `returned ${at}: invalid groupVersion (expected ${apiVersion}, received ${version})`
  if (kind !== original.kind)
    return `returned ${at}: invalid kind (expected ${original.kind}, received ${String(kind)})`
  const changed = changedIdentity(original, converted)
  if (changed) return `returned invalid object: ${changed}`
  const metadata = metadataFault(original, converted)
  return metadata && `returned invalid metadata: ${metadata}`
}

function changedIdentity(original: KubeObject, { metadata: given }: JsonObject): string | undefined {
  const metadata = isObject(given) ? given : {}
  for (const [field, name] of [['name', 'name'], ['namespace', 'namespace'], ['uid', 'UID']] as const) {
    const [was, is] = [original.metadata[field] ?? '', metadata[field] ?? '']
    if (was !== is) return `must have the same ${name}: ${was} != ${String(is)}`
  }
  return undefined
}

function metadataFault(original: KubeObject, converted: JsonObject): string | undefined {
  const { metadata } = converted
  if (metadata === undefined) return 'missing metadata in converted object'
  if (!isObject(metadata)) return `invalid metadata of type ${goTypeOf(metadata)} in converted object`
  for (const field of ['labels', 'annotations'] as const) {
    const value = metadata[field]
    if (value === undefined || value === null) continue
    if (!isObject(value)) return `invalid metadata.${field} of type ${goTypeOf(value)} in converted object`
    for (const [key, one] of Object.entries(value))
      if (typeof one !== 'string') return `metadata.${field}[${key}] must be a string, but is ${goTypeOf(one)} in converted object`
    const why = changeFault(field, original.metadata[field] ?? {}, value as Record<string, string>)
    if (why) return why
  }
  return undefined
}

/** What stays as it was is not judged again. */
function changeFault(
  field: 'labels' | 'annotations',
  was: Readonly<Record<string, string>>,
  is: Readonly<Record<string, string>>,
): string | undefined {
  const keys = Object.keys(is)
  if (keys.length === Object.keys(was).length && keys.every((key) => was[key] === is[key])) return undefined
  const causes = field === 'labels' ? validateLabels(is, 'metadata.labels') : validateAnnotations(is, 'metadata.annotation')
  const sentences = causes.map((cause) => `${cause.field}: ${cause.message}`)
  if (sentences.length === 0) return undefined
  return sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The type that Go's decoder gives a JSON value. */
function goTypeOf(value: unknown): string {
  if (value === null) return '<nil>'
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'string' ? 'string' : goKindOf(value)
}
