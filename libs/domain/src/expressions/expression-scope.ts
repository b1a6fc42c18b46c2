// What expressions of built-in kinds may look at (policies, webhooks' match conditions, selectors of devices), and whether one
// is right: the language is libs/cel's. Types as k8s.io/apiserver/pkg/admission/plugin/cel has them.
import {
  bool,
  dyn,
  formatType,
  int,
  kubernetes,
  listOf,
  mapOf,
  objectOf,
  opaque,
  string,
  timestamp,
  type Type,
} from '@shiplog/cel/types'
import { expressions } from '@shiplog/custom-resources/expressions/late'

/** Names that stand for a value, each with its type. */
export type ExpressionScope = ReadonlyMap<string, Type>

const fields = (name: string, types: Readonly<Record<string, Type>>): Type =>
  objectOf(`kubernetes.${name}`, (field) => (Object.hasOwn(types, field) ? types[field] : undefined))

const texts = listOf(string)
const groupVersionKind = fields('GroupVersionKind', { group: string, version: string, kind: string })
const groupVersionResource = fields('GroupVersionResource', { group: string, version: string, resource: string })

const admissionRequest = fields('AdmissionRequest', {
  kind: groupVersionKind,
  resource: groupVersionResource,
  subResource: string,
  requestKind: groupVersionKind,
  requestResource: groupVersionResource,
  requestSubResource: string,
  name: string,
  namespace: string,
  operation: string,
  userInfo: fields('UserInfo', { username: string, uid: string, groups: texts, extra: mapOf(string, texts) }),
  dryRun: bool,
  options: dyn,
})

const namespaceCondition = fields('NamespaceCondition', {
  ...{ status: string, type: string, lastTransitionTime: timestamp, message: string, reason: string },
})

const namespace = fields('Namespace', {
  metadata: fields('NamespaceMetadata', {
    ...{ name: string, generateName: string, namespace: string, UID: string, resourceVersion: string },
    ...{ labels: mapOf(string, string), annotations: mapOf(string, string), finalizers: texts },
    ...{ creationTimestamp: timestamp, deletionTimestamp: timestamp },
    ...{ deletionGracePeriodSeconds: int, generation: int },
  }),
  spec: fields('NamespaceSpec', { finalizers: texts }),
  status: fields('NamespaceStatus', { conditions: listOf(namespaceCondition), phase: string }),
})

const authorizer = fields('authorization.Authorizer', { requestResource: kubernetes('authorization.ResourceCheck') })

/** What every expression about a request may use. */
export const requestScope: ExpressionScope = new Map([
  ['object', dyn],
  ['oldObject', dyn],
  ['request', admissionRequest],
  ['namespaceObject', namespace],
  ['authorizer', authorizer],
])

/** The request's, and the policy's parameters. */
export const parameterScope: ExpressionScope = new Map([...requestScope, ['params', dyn]])

/** Attributes are of no type that is known before a device is. */
export const deviceScope: ExpressionScope = new Map([
  [
    'device',
    fields('DRADevice', {
      driver: string,
      attributes: mapOf(string, mapOf(string, dyn)),
      capacity: mapOf(string, mapOf(string, kubernetes('Quantity'))),
      allowMultipleAllocations: bool,
    }),
  ],
])

/** Upstream knows no other field, and shows what it does not know by its empty name. */
const jsonPatch = objectOf('JSONPatch', (field) =>
  ['op', 'path', 'from'].includes(field) ? string : field === 'value' ? dyn : opaque(''),
)

/** Messages that mutations are written with: of objects every field may be written, what they are is checked with the object. */
export const patchMessages = (name: string): Type | undefined =>
  name === 'JSONPatch' ? jsonPatch : /^Object(\.|$)/.test(name) ? objectOf(name, () => dyn) : undefined

/** A policy's own variables; an expression knows those that stand before it. */
export const withComposed = (scope: ExpressionScope, composed: ReadonlyMap<string, Type>): ExpressionScope =>
  new Map([...scope, ['variables', objectOf('kubernetes.variables', (name) => composed.get(name))]])

export const without = (scope: ExpressionScope, name: string): ExpressionScope =>
  new Map([...scope].filter(([one]) => one !== name))

export type Checked = { readonly type: Type; readonly maxCost: number } | { readonly problem: string }

/** What an expression comes to, or why it is refused. */
export const checkExpression = (
  text: string,
  scope: ExpressionScope,
  messages?: (name: string) => Type | undefined,
): Checked => {
  const { compileExpression, isBadExpression } = expressions()
  const compiled = compileExpression(text, { variables: scope, sizeOf: () => undefined, ...(messages ? { messages } : {}) })
  if (isBadExpression(compiled)) return { problem: `compilation failed: ${compiled.problem}` }
  const { type, maxCost, programProblem } = compiled
  return programProblem === undefined ? { type, maxCost } : { problem: `program instantiation failed: ${programProblem}` }
}

/** What an expression may be asked to come to. */
export type ExpressionKind = 'bool' | 'string' | 'null_type' | 'Object' | 'list(JSONPatch)'

const isOfKind = (type: Type, kind: ExpressionKind): boolean => type.kind === kind || formatType(type) === kind

const shownKind = (kind: ExpressionKind): string => (kind === 'null_type' ? 'null' : kind)

/** Why an expression is refused, in upstream's words; undefined when nothing is wrong. */
export const expressionProblem = (
  text: string,
  scope: ExpressionScope,
  wanted: readonly ExpressionKind[] | undefined,
): string | undefined => {
  const isMutation = wanted?.some((kind) => kind === 'Object' || kind === 'list(JSONPatch)')
  const checked = checkExpression(text, scope, isMutation ? patchMessages : undefined)
  if ('problem' in checked) return checked.problem
  if (!wanted || wanted.some((kind) => isOfKind(checked.type, kind))) return undefined
  const shown = wanted.map(shownKind)
  return shown.length > 1
    ? `must evaluate to one of [${shown.join(' ')}] but got ${formatType(checked.type)}`
    : `must evaluate to ${shown[0]} but got ${formatType(checked.type)}`
}

/** Of devices: what nobody can tell before there is one may turn out to be right. */
export const deviceExpressionProblem = (text: string): string | undefined => {
  const checked = checkExpression(text, deviceScope)
  if ('problem' in checked) return checked.problem
  return checked.type.kind === 'bool' || checked.type.kind === 'dyn'
    ? undefined
    : `must evaluate to bool or the unknown type, not ${formatType(checked.type)}`
}

const reserved = new Set(
  'as break const continue else false for function if import in let loop namespace null package return true var void while'.split(
    ' ',
  ),
)

/** Whether a name may be used in expressions. */
export const isIdentifier = (name: string): boolean => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !reserved.has(name)
