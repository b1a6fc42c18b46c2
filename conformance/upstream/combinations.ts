// Combinations: valid manifests with two or three fields set to values that other valid manifests of the kind have, to the
// edges of what their types allow, or to what upstream's rules relate (related-settings.ts). Drawn by a seed, the same
// every time, for creates, for updates of what was created, and for writes of the status. Upstream is the judge of them.
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { FieldType, ResourceInfo } from '@shiplog/api/schema/schema'
import { type SeededRandom, seededRandom } from '@shiplog/testing/seeded-random'
import type { Any } from '../src/case.ts'
import { relatedSettings } from './related-settings.ts'
import { type ValidManifest, validManifests } from './valid-manifests.ts'

export type WriteKind = 'create' | 'update' | 'status'

export interface Combination {
  /** `services full: create with spec.type = "ExternalName", spec.clusterIP = "None"`. */
  readonly name: string
  readonly write: WriteKind
  readonly manifest: ValidManifest
  readonly resource: ResourceInfo
  /** The body of the request. */
  readonly object: Any
}

type Path = readonly (string | number)[]

interface Candidate {
  readonly path: Path
  readonly values: readonly unknown[]
}

const registry = builtInRegistry()
const seed = 20_260_401

/** How many are drawn for a manifest: rules that relate fields are many where fields are. */
const drawnPerManifest: Readonly<Record<WriteKind, number>> = { create: 30, update: 10, status: 18 }
/** Manifests whose rules are the most. */
const rich: Readonly<Record<string, number>> = { pods: 4, services: 4, jobs: 3, persistentvolumeclaims: 2 }

/** `spec.containers[0].image`, `metadata.annotations["a.b/c"]`. */
export function parsePath(text: string): Path {
  const path: (string | number)[] = []
  for (const [, key, index, quoted] of text.matchAll(/([A-Za-z$][\w$-]*)|\[(\d+)\]|\["([^"]+)"\]/g))
    path.push(index !== undefined ? Number(index) : (quoted ?? key!))
  return path
}

export const textOfPath = (path: Path): string =>
  path
    .map((step) =>
      typeof step === 'number' ? `[${step}]` : /^[A-Za-z$][\w$-]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
    )
    .join('')
    .replace(/^\./, '')

const skipped = new Set(['apiVersion', 'kind', 'managedFields', 'creationTimestamp', 'deletionTimestamp'])
const skippedMetadata = new Set(['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'selfLink'])

/** What a field of this type may be set to at its edges. */
function edgesOf(field: FieldType & { readonly enum?: readonly string[] }): unknown[] {
  if (field.enum) return [...field.enum]
  switch (field.type) {
    case 'boolean':
      return [true, false]
    case 'integer':
      return [0, 1]
    case 'string':
      if (field.format === 'quantity') return ['0', '1', '1.5', '0.0001']
      return field.format === undefined ? ['x'] : []
    case 'ref':
      return [{}]
    default:
      return []
  }
}

const depthMax = 7

/** The fields of one manifest with the values that they have, and the fields beside them with the edges of their types. */
function visit(definition: string, value: Any, path: Path, add: (path: Path, values: readonly unknown[]) => void): void {
  if (path.length > depthMax) return
  for (const [name, field] of Object.entries(registry.definition(definition).fields)) {
    if (skipped.has(name) || (path[0] === 'metadata' && path.length === 1 && skippedMetadata.has(name))) continue
    const at = [...path, name]
    const given = value?.[name]
    if (path.length > 0 && !(path.length === 1 && path[0] === 'metadata'))
      add(at, [...(given === undefined || given === null ? [] : [given, undefined]), ...edgesOf(field)])
    if (given === undefined || given === null) continue
    if (field.type === 'ref') visit(field.ref!, given, at, add)
    else if (field.type === 'array' && field.items?.ref)
      for (const [index, item] of (given as Any[]).slice(0, 2).entries())
        visit(field.items!.ref!, item, [...at, index], add)
  }
}

const isStatus = (path: Path): boolean => path[0] === 'status'

interface Candidates {
  readonly related: readonly Candidate[]
  readonly found: readonly Candidate[]
}

const known = new Map<string, Candidates>()

function candidatesOf(resource: ResourceInfo, status: boolean): Candidates {
  const key = `${resource.definition} ${status}`
  const candidates = known.get(key) ?? findCandidates(resource, status)
  known.set(key, candidates)
  return candidates
}

/** All that may be set in a kind, each path once. */
function findCandidates(resource: ResourceInfo, status: boolean): Candidates {
  const found = new Map<string, { path: Path; values: Map<string, unknown> }>()
  const add = (path: Path, values: readonly unknown[]): void => {
    if (isStatus(path) !== status) return
    const key = textOfPath(path)
    const known = found.get(key) ?? { path, values: new Map() }
    for (const value of values) known.values.set(JSON.stringify(value) ?? 'undefined', value)
    if (known.values.size > 0) found.set(key, known)
  }
  for (const manifest of validManifests) {
    if (manifest.object.kind !== resource.kind) continue
    visit(resource.definition, status ? { status: manifest.status ?? {} } : manifest.object, [], add)
  }
  const related = relatedSettings[status ? `${resource.resource}/status` : resource.resource] ?? []
  return {
    related: related.map(([path, ...values]) => ({ path: parsePath(path), values })),
    found: [...found.values()].map(({ path, values }) => ({ path, values: [...values.values()] })),
  }
}

/** The container at a path, made where it is missing; undefined where the path leads through something else. */
function containerAt(object: Any, path: Path): Any {
  let at = object
  for (const [index, step] of path.slice(0, -1).entries()) {
    if (typeof step === 'number' && step > at.length) return undefined
    at[step] ??= typeof path[index + 1] === 'number' ? [] : {}
    if (typeof at[step] !== 'object') return undefined
    at = at[step]
  }
  return at
}

/** Sets or removes what is at a path; false where there can be nothing. */
function setAt(object: Any, path: Path, value: unknown): boolean {
  const at = containerAt(object, path)
  const last = path.at(-1)!
  if (at === undefined || (typeof last === 'number' && last > at.length)) return false
  if (value === undefined) delete at[last]
  else at[last] = structuredClone(value)
  return true
}

const within = (a: Path, b: Path): boolean => {
  const [left, right] = [textOfPath(a), textOfPath(b)]
  return left === right || left.startsWith(`${right}.`) || left.startsWith(`${right}[`)
}

interface Choice {
  readonly path: Path
  readonly value: unknown
}

function drawChoices(random: SeededRandom, related: readonly Candidate[], found: readonly Candidate[]): Choice[] {
  const count = random.chance(0.6) ? 2 : 3
  const choices: Choice[] = []
  for (let tries = 0; choices.length < count && tries < 20; tries++) {
    const pool = found.length === 0 || (related.length > 1 && random.chance(0.7)) ? related : found
    if (pool.length === 0) break
    const { path, values } = random.pick(pool)
    if (choices.some((one) => within(one.path, path) || within(path, one.path))) continue
    choices.push({ path, value: random.pick(values) })
  }
  return choices
}

function drawn(manifest: ValidManifest, resource: ResourceInfo, write: WriteKind, random: SeededRandom): Combination[] {
  const { related, found } = candidatesOf(resource, write === 'status')
  const made = new Map<string, Combination>()
  const wanted = drawnPerManifest[write] * (rich[resource.resource] ?? 1)
  for (let tries = 0; made.size < wanted && tries < wanted * 3; tries++) {
    const choices = drawChoices(random, related, found)
    const object = JSON.parse(JSON.stringify(manifest.object))
    if (write === 'status' && manifest.status) object.status = structuredClone(manifest.status)
    if (choices.length < 2 || !choices.every(({ path, value }) => setAt(object, path, value))) continue
    if (write !== 'create') object.metadata.name = manifest.object.metadata.name
    const said = choices.map(({ path, value }) => `${textOfPath(path)} = ${JSON.stringify(value) ?? 'absent'}`)
    const name = `${manifest.name}: ${write} with ${said.join(', ')}`
    made.set(name, { name, write, manifest, resource, object })
  }
  return [...made.values()]
}

export function combinations(): Combination[] {
  return validManifests.flatMap((manifest, index) => {
    const [group, version] = manifest.object.apiVersion.includes('/')
      ? manifest.object.apiVersion.split('/')
      : ['', manifest.object.apiVersion]
    const resource = registry.byKind(group, version, manifest.object.kind)!
    const writes: WriteKind[] = ['create', 'update']
    if (resource.subresources.some(({ name }) => name === 'status')) writes.push('status')
    return writes.flatMap((write, at) => drawn(manifest, resource, write, seededRandom(seed + index * 3 + at)))
  })
}
