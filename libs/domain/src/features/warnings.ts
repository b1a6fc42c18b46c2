// What a write is told about fields and kinds that nothing acts on: sentences for `Warning: 299` headers.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { semanticEqual } from '../fields.ts'
import type { Feature, IgnoredField } from './feature.ts'
import { features } from './features.ts'

/** Where pods are specified, in the kinds of which something makes pods. */
const podSpecs: ReadonlyMap<string, string> = new Map([
  ['pods', 'spec'],
  ['cronjobs.batch', 'spec.jobTemplate.spec.template.spec'],
  ...['deployments.apps', 'replicasets.apps', 'daemonsets.apps', 'statefulsets.apps', 'replicationcontrollers'].map(
    (resource) => [resource, 'spec.template.spec'] as const,
  ),
  ['jobs.batch', 'spec.template.spec'],
])

const processSelector = 'nodeSelector{shiplog.dev/runtime}'
const isProcess = (pair: unknown): boolean => (pair as readonly unknown[])[1] === 'process'

type Step = { readonly each: true } | { readonly prefix: string } | { readonly name: string }

const parsed = new Map<string, readonly Step[]>()

function stepsOf(path: string): readonly Step[] {
  let steps = parsed.get(path)
  if (!steps) {
    steps = [...path.matchAll(/\[\]|\{([^}]*)\}|[^.[{]+/g)].map(([text, prefix]): Step => {
      if (text === '[]') return { each: true }
      return prefix === undefined ? { name: text } : { prefix }
    })
    parsed.set(path, steps)
  }
  return steps
}

/** The values at a path: one for each element and each key on the way. */
export function valuesAt(object: unknown, path: string): readonly unknown[] {
  let found: unknown[] = [object]
  for (const step of stepsOf(path)) {
    found = found.flatMap((value) => {
      if (typeof value !== 'object' || value === null) return []
      if ('each' in step) return Array.isArray(value) ? value : []
      if ('prefix' in step)
        return Object.entries(value).flatMap(([key, one]) => (key.startsWith(step.prefix) ? [[key, one]] : []))
      return [(value as JsonObject)[step.name]]
    })
    if (found.length === 0) return found
  }
  return found
}

/** Whether any value at a path passes. Every write asks, of every field: nothing is made on the way. */
function someAt(value: unknown, steps: readonly Step[], index: number, test: (value: unknown) => boolean): boolean {
  const step = steps[index]
  if (step === undefined) return test(value)
  if (typeof value !== 'object' || value === null) return false
  if ('each' in step) return Array.isArray(value) && value.some((one) => someAt(one, steps, index + 1, test))
  if ('name' in step) return someAt((value as JsonObject)[step.name], steps, index + 1, test)
  for (const key in value)
    if (key.startsWith(step.prefix) && someAt([key, (value as JsonObject)[key]], steps, index + 1, test)) return true
  return false
}

const isSaid = (value: unknown): boolean =>
  typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value)

/** The path of a field in objects of a resource; undefined when they have no such field. */
function pathIn(resource: string, field: IgnoredField): string | undefined {
  if (field.of === resource) return field.path
  const podSpec = field.of === 'podSpec' ? podSpecs.get(resource) : undefined
  return podSpec && `${podSpec}.${field.path}`
}

const testOf = ({ is }: IgnoredField): ((value: unknown) => boolean) => (is ? (value) => is.includes(value) : isSaid)

/** Finds out what one row says of an object; undefined when it says nothing. */
type Check = (next: KubeObject, before: KubeObject | undefined) => string | undefined

function checkOf(feature: Feature, resource: string, subresource: string): Check | undefined {
  if (feature.state !== 'ignored' && feature.state !== 'stored only') return undefined
  if ('subresource' in feature)
    return feature.resource === resource && feature.subresource === subresource ? () => feature.sentence : undefined
  if (subresource !== '') return undefined
  if ('resource' in feature) return feature.resource === resource ? () => feature.sentence : undefined
  const fields = feature.fields.flatMap((field) => {
    const path = pathIn(resource, field)
    return path === undefined ? [] : [{ path, steps: stepsOf(path), test: testOf(field) }]
  })
  if (fields.length === 0) return undefined
  const runtime = feature.onProcessNodes ? stepsOf(`${podSpecs.get(resource)!}.${processSelector}`) : undefined
  return (next, before) => {
    const isNew = fields.some(({ path, steps, test }) => {
      if (!someAt(next, steps, 0, test)) return false
      return !before || !semanticEqual(valuesAt(next, path).filter(test), valuesAt(before, path).filter(test))
    })
    if (!isNew || (runtime && !someAt(next, runtime, 0, isProcess))) return undefined
    return feature.sentence
  }
}

const checks = new Map<string, readonly Check[]>()

/** Made once per resource: most have none. A kind that nothing acts on is told of as a whole, its fields are not. */
function checksOf(resource: string, subresource: string): readonly Check[] {
  const key = `${resource}/${subresource}`
  let found = checks.get(key)
  if (!found) {
    const whole = features.filter((one) => one.state === 'stored only' && one.resource === resource)
    const rows = whole.length > 0 ? whole : features
    found = rows.flatMap((feature) => checkOf(feature, resource, subresource) ?? [])
    checks.set(key, found)
  }
  return found
}

/** Components of a control plane know what they write; a service account may be anybody's operator. */
const isComponent = (user: string): boolean =>
  user.startsWith('system:') && !user.startsWith('system:serviceaccount:') && user !== 'system:anonymous'

export interface ToldWrite {
  /** `deployments.apps`. */
  readonly resource: string
  /** '' for the object itself. */
  readonly subresource: string
  readonly user: string
}

/**
 * What the writer of `next` is to know: each kind that nothing acts on, and each ignored field that this write sets or
 * changes, once. `before` is undefined on create.
 *
 *     warningsFor({ resource: 'volumeattachments.storage.k8s.io', subresource: '', user: 'jane' }, attachment)
 *     // ['shiplog: nothing acts on VolumeAttachments yet: this one attaches nothing']
 */
export function warningsFor(write: ToldWrite, next: KubeObject, before?: KubeObject): readonly string[] {
  const found = checksOf(write.resource, write.subresource)
  if (found.length === 0 || isComponent(write.user)) return []
  return found.flatMap((check) => {
    const sentence = check(next, before)
    return sentence === undefined ? [] : [`shiplog: ${sentence}`]
  })
}
