// JSON Patch (RFC 6902) as the API server answers it: a malformed patch is 400, too many operations 413, an operation that
// does not apply 422. Where upstream is more lenient than the RFC so are we, because clients lean on it: replace adds a
// missing key, indexes may count from the end, a missing value is null. Documents are shared and immutable, so the patch copies only the nodes on the paths it touches.
import { parseExactJson } from '../exact-json.ts'
import type { JsonObject } from '../kube-object.ts'
import { patchDoesNotApply, patchIsMalformed } from './patch-errors.ts'
import { ApiError, requestEntityTooLarge } from '../status.ts'

export const jsonPatchOperationsMax = 10_000
/** What all `copy` operations of one patch may add together; upstream's bound is the body limit. */
export const jsonPatchCopyBytesMax = 3 * 1024 * 1024

type Container = JsonObject | unknown[]

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null

/** Sets a key as data, whatever its name is. */
export const setOwn = (object: JsonObject, key: string, value: unknown): void => {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  } else object[key] = value
}

/** Structural equality of JSON values; the order of keys does not matter. */
export const jsonEqual = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!jsonEqual(a[i], b[i])) return false
    return true
  }
  if (Array.isArray(b)) return false
  const left = a as JsonObject
  const right = b as JsonObject
  let keys = 0
  for (const key in left) {
    if (!Object.hasOwn(right, key) || !jsonEqual(left[key], right[key])) return false
    keys++
  }
  for (const _ in right) keys--
  return keys === 0
}

const pointerTokens = (pointer: string, operation: string): string[] => {
  if (pointer === '') return []
  // What stands before the first slash counts for nothing, as upstream has it; without a slash there is no path.
  if (!pointer.includes('/'))
    throw patchDoesNotApply(`${operation} operation does not apply: invalid path: ${pointer}`)
  return pointer
    .slice(pointer.indexOf('/') + 1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The index that a token names among `length` places; negative ones count from the end, as upstream allows. */
const indexOf = (token: string, length: number): number | undefined => {
  if (!/^[+-]?[0-9]{1,10}$/.test(token)) return undefined
  const index = Number(token)
  const place = index < 0 ? index + length : index
  return place >= 0 && place < length ? place : undefined
}

const childOf = (container: Container, token: string): { readonly value: unknown } | undefined => {
  if (Array.isArray(container)) {
    const index = indexOf(token, container.length)
    return index === undefined ? undefined : { value: container[index] }
  }
  return Object.hasOwn(container, token) ? { value: container[token] } : undefined
}

class PatchedDocument {
  root: unknown
  #copiedBytes = 0
  /** Nodes made by this patch: they may be written in place. */
  readonly #own = new Set<object>()

  constructor(root: unknown) {
    this.root = root
  }

  #writable(node: Container): Container {
    if (this.#own.has(node)) return node
    const copy: Container = Array.isArray(node) ? [...node] : { ...node }
    this.#own.add(copy)
    return copy
  }

  /** As get, but what an object lacks is null there: upstream tests and copies it as such. */
  getOrNull(tokens: readonly string[]): { readonly value: unknown } | undefined {
    const found = this.get(tokens)
    if (found || tokens.length === 0) return found
    const holder = this.get(tokens.slice(0, -1))
    return holder && isContainer(holder.value) && !Array.isArray(holder.value) ? { value: null } : undefined
  }

  get(tokens: readonly string[]): { readonly value: unknown } | undefined {
    let found: { readonly value: unknown } | undefined = { value: this.root }
    for (const token of tokens) {
      if (!found || !isContainer(found.value)) return undefined
      found = childOf(found.value, token)
    }
    return found
  }

  /** The container that holds the last token, copied along the way so that it may be written; undefined when missing. */
  #parent(tokens: readonly string[]): Container | undefined {
    const holder = this.get(tokens.slice(0, -1))
    if (!holder || !isContainer(holder.value)) return undefined
    let node = this.#writable(this.root as Container)
    this.root = node
    for (const token of tokens.slice(0, -1)) {
      const child = this.#writable(childOf(node, token)!.value as Container)
      if (Array.isArray(node)) node[indexOf(token, node.length)!] = child
      else setOwn(node, token, child)
      node = child
    }
    return node
  }

  add(tokens: readonly string[], value: unknown, path: string, operation: string): void {
    const parent = tokens.length > 0 ? this.#parent(tokens) : undefined
    if (!parent)
      throw patchDoesNotApply(`${operation} operation does not apply: doc is missing path: "${path}": missing value`)
    const token = tokens[tokens.length - 1]!
    if (!Array.isArray(parent)) {
      setOwn(parent, token, value)
      return
    }
    if (token === '-') {
      parent.push(value)
      return
    }
    const index = indexOf(token, parent.length + 1)
    if (index === undefined) {
      throw patchDoesNotApply(
        `error in ${operation} for path: '${path}': Unable to access invalid index: ${token}: invalid index referenced`,
      )
    }
    parent.splice(index, 0, value)
  }

  remove(tokens: readonly string[], path: string, operation: string): void {
    if (tokens.length === 0)
      throw patchDoesNotApply(`${operation} operation does not apply: the whole document cannot be removed`)
    const parent = this.#parent(tokens)
    if (!parent)
      throw patchDoesNotApply(`${operation} operation does not apply: doc is missing path: "${path}": missing value`)
    const token = tokens[tokens.length - 1]!
    if (!this.get(tokens))
      throw patchDoesNotApply(
        `error in ${operation} for path: '${path}': Unable to remove nonexistent key: ${token}: missing value`,
      )
    if (Array.isArray(parent)) parent.splice(indexOf(token, parent.length)!, 1)
    else delete parent[token]
  }

  replace(tokens: readonly string[], value: unknown, path: string): void {
    if (tokens.length === 0) {
      this.root = value
      return
    }
    const parent = this.#parent(tokens)
    const token = tokens[tokens.length - 1]!
    if (!parent) {
      throw patchDoesNotApply(`replace operation does not apply: doc is missing path: ${path}: missing value`)
    }
    if (!Array.isArray(parent)) {
      setOwn(parent, token, value)
      return
    }
    const index = indexOf(token, parent.length)
    if (index === undefined) {
      throw patchDoesNotApply(`replace operation does not apply: doc is missing key: ${path}: missing value`)
    }
    parent[index] = value
  }

  copy(from: readonly string[], fromPath: string, to: readonly string[], path: string): void {
    const source = from.length > 0 ? this.getOrNull(from) : undefined
    if (!source) {
      throw patchDoesNotApply(`copy operation does not apply: doc is missing from path: ${fromPath}: missing value`)
    }
    const text = JSON.stringify(source.value)
    this.#copiedBytes += text.length
    if (this.#copiedBytes > jsonPatchCopyBytesMax) {
      throw patchDoesNotApply(
        `Unable to complete the copy, the accumulated size increase of copy operations is ${this.#copiedBytes}, exceeding the limit ${jsonPatchCopyBytesMax}`,
      )
    }
    this.add(to, parseExactJson(text), path, 'copy')
  }
}

const goTypeOf = (value: unknown): string =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value

interface Operation {
  readonly op: string
  readonly path: string | undefined
  readonly from: string | undefined
  readonly value: unknown
}

const decodeOperations = (patch: unknown): Operation[] => {
  const malformed = (found: unknown, into: string): never => {
    throw patchIsMalformed(`error decoding patch: json: cannot unmarshal ${goTypeOf(found)} into Go ${into}`)
  }
  // Go reads null as no operations, and a null among them as one that says nothing.
  if (patch === null) return []
  if (!Array.isArray(patch)) return malformed(patch, 'value of type []handlers.jsonPatchOp')
  if (patch.length > jsonPatchOperationsMax) {
    throw new ApiError(
      requestEntityTooLarge(
        `The allowed maximum operations in a JSON patch is ${jsonPatchOperationsMax}, got ${patch.length}`,
      ),
    )
  }
  return patch.map((entry: unknown): Operation => {
    if (entry === null) return { op: '', path: undefined, from: undefined, value: undefined }
    if (!isContainer(entry) || Array.isArray(entry)) return malformed(entry, 'value of type handlers.jsonPatchOp')
    const text = (name: string): string | undefined => {
      const value = Object.hasOwn(entry, name) ? entry[name] : undefined
      if (value === undefined || typeof value === 'string') return value
      return malformed(value, `struct field jsonPatchOp.${name} of type string`)
    }
    return {
      op: text('op') ?? 'unknown',
      path: text('path'),
      from: text('from'),
      // As upstream, no value is null.
      value: Object.hasOwn(entry, 'value') ? entry['value'] : null,
    }
  })
}

/**
 * Applies a parsed JSON Patch to a document and returns the new one; the given one is untouched and shares what did not
 * change. Throws ApiError: 400 malformed, 413 too many operations, 422 does not apply.
 */
export const applyJsonPatch = (document: JsonObject, patch: unknown): JsonObject => {
  const operations = decodeOperations(patch)
  const target = new PatchedDocument(document)
  for (const { op, path, from, value } of operations) {
    if (!['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(op))
      throw patchDoesNotApply(`Unexpected kind: ${op}`)
    if (path === undefined) throw patchDoesNotApply(`${op} operation failed to decode path: missing value`)
    const tokens = pointerTokens(path, op)
    switch (op) {
      case 'add':
        target.add(tokens, value, path, op)
        break
      case 'remove':
        target.remove(tokens, path, op)
        break
      case 'replace':
        target.replace(tokens, value, path)
        break
      case 'test': {
        const found = target.getOrNull(tokens)
        if (!found) throw patchDoesNotApply(`test operation does not apply: is missing path: ${path}: missing value`)
        if (!jsonEqual(found.value, value)) throw patchDoesNotApply(`testing value ${path} failed: test failed`)
        break
      }
      default: {
        if (from === undefined) throw patchDoesNotApply(`${op} operation failed to decode from: missing value`)
        const source = pointerTokens(from, op)
        if (op === 'copy') {
          target.copy(source, from, tokens, path)
          break
        }
        const moved = target.get(source)
        if (!moved)
          throw patchDoesNotApply(`move operation does not apply: doc is missing from path: ${from}: missing value`)
        if (from === path) break
        target.remove(source, from, op)
        target.add(tokens, moved.value, path, op)
      }
    }
  }
  if (!isContainer(target.root) || Array.isArray(target.root)) {
    throw patchDoesNotApply('the patched document is not an object')
  }
  return target.root
}
