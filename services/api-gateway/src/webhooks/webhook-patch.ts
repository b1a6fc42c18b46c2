// What a mutating webhook makes of the object that it was shown.
import { DecodeError } from '@shiplog/api/decode/decode-error'
import { decodeJson } from '@shiplog/api/decode/decode-json'
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { JsonObject } from '@shiplog/api/kube-object'
import { applyJsonPatch, jsonEqual } from '@shiplog/api/patch/json-patch'
import { ApiError, internalError, isApiError } from '@shiplog/api/status'
import type { ReviewAnswer } from '@shiplog/domain/webhook/review'
import type { AskedWrite } from '@shiplog/domain/write/async-admission'
import { CallFailed } from './call.ts'
import type { Invocation } from './invocation.ts'

/** Upstream shortens an annotation of a patch no more than the audit log does. */
export interface Applied {
  readonly changed: boolean
  readonly patch: readonly JsonObject[]
}

/** Makes the draft what the webhook wants it to be; undefined when it wants nothing. */
export async function applyAnswer(
  webhook: string,
  { patch: bytes, patchType }: ReviewAnswer,
  { form }: Invocation,
  { object: draft }: AskedWrite,
  shown: JsonObject | undefined,
): Promise<Applied | undefined> {
  if (!bytes) return undefined
  const patch = readPatch(webhook, bytes)
  if (patch.length === 0) return undefined
  if (!draft || !shown) {
    const why = `admission webhook ${goQuote(webhook)} attempted to modify the object, which is not supported for this operation`
    throw new ApiError(internalError(why))
  }
  if (patchType !== 'JSONPatch') throw new CallFailed(webhook, `unsupported patch type ${goQuote(patchType)}`, 500)
  const patched = patchedObject(shown, patch)
  try {
    await form.put(draft, patched)
  } catch (error) {
    throw isApiError(error) ? new ApiError(internalError(error.message)) : error
  }
  return { changed: !jsonEqual(shown, await form.show(draft)), patch }
}

function readPatch(webhook: string, bytes: Buffer): readonly JsonObject[] {
  const undecodable = (why: string): CallFailed =>
    new CallFailed(webhook, `received undecodable patch in webhook response: ${why}`, 503)
  let value: unknown
  try {
    value = decodeJson(bytes.toString('utf8')).value
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw undecodable(error.message.replace(/^couldn't get version\/kind; json parse error: /, ''))
  }
  if (!Array.isArray(value) || value.some((one) => typeof one !== 'object' || one === null || Array.isArray(one))) {
    const kind = typeof value === 'object' && !Array.isArray(value) ? 'object' : Array.isArray(value) ? 'array' : typeof value
    const type = Array.isArray(value) ? 'jsonpatch.Operation' : 'jsonpatch.Patch'
    throw undecodable(`json: cannot unmarshal ${kind} into Go value of type ${type}`)
  }
  return value as JsonObject[]
}

function patchedObject(shown: JsonObject, patch: readonly JsonObject[]): JsonObject {
  try {
    return applyJsonPatch(shown, patch)
  } catch (error) {
    if (!isApiError(error)) throw error
    throw new ApiError(internalError(typeof error.cause === 'string' ? error.cause : error.message))
  }
}

/** Where operations change something. */
export const pathsOf = (patch: readonly JsonObject[]): string[] => [
  ...new Set(
    patch.flatMap(({ op, path, from }) =>
      op === 'test' ? [] : [String(path), ...(op === 'move' && from !== undefined ? [String(from)] : [])],
    ),
  ),
]
