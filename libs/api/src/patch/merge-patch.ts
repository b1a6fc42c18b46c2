// JSON Merge Patch (RFC 7386): objects merge, null deletes, all else replaces. The result shares what did not change.
import { setOwn } from './json-patch.ts'
import type { JsonObject } from '../kube-object.ts'
import { ApiError, badRequest } from '../status.ts'

/** Deeper patches are refused: they could only exhaust the stack. */
const mergePatchDepthMax = 1000

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const merged = (target: unknown, patch: unknown, depth: number): unknown => {
  if (!isObject(patch)) return patch
  if (depth > mergePatchDepthMax) throw new ApiError(badRequest('exceeded max depth'))
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null) delete result[key]
    else setOwn(result, key, merged(Object.hasOwn(result, key) ? result[key] : undefined, value, depth + 1))
  }
  return result
}

/** Applies a parsed merge patch; throws ApiError 400 when the patch is no object. */
export const applyMergePatch = (document: JsonObject, patch: unknown): JsonObject => {
  if (!isObject(patch)) throw new ApiError(badRequest('Invalid JSON Patch'))
  return merged(document, patch, 0) as JsonObject
}
