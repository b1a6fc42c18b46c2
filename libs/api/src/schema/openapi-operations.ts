// The paths of one resource as OpenAPI v3 operations: verbs, parameters, media types. kubectl looks here for the query
// parameters that a server understands and for the kinds of patch that it takes.
import type { JsonObject } from '../kube-object.ts'
import { metaPrefix, patchDefinition, refTo } from './openapi-schemas.ts'
import { apiVersionOf, type ResourceInfo, type SchemaRegistry, type Subresource } from './schema.ts'

const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]
/** What merges how, and which number a field has in protobuf, is written into built-in types alone. */
const bodyTypesOfCustom = bodyTypes.slice(0, 2)
const patchTypesOfCustom = patchTypes.slice(0, 3)
const isCustom = ({ registry, resource }: Target): boolean => registry.published?.revision(resource) !== undefined
const deleteOptions = `${metaPrefix}DeleteOptions`
const status = `${metaPrefix}Status`

type ParameterType = 'string' | 'boolean' | 'integer'
const query = (name: string, type: ParameterType, description: string): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
})
export const inPath = (name: string, description: string): JsonObject => ({
  name,
  in: 'path',
  description,
  required: true,
  schema: { type: 'string', uniqueItems: true },
})

const dryRun = query('dryRun', 'string', 'With the value All nothing is persisted, and the answer is as if it were.')
const fieldManager = query('fieldManager', 'string', 'The name of who makes the change; at most 128 characters.')
const fieldValidation = query(
  'fieldValidation',
  'string',
  'What happens to unknown and duplicate fields: Ignore, Warn (the default) or Strict, which refuses the request.',
)
const force = query('force', 'boolean', 'Take fields over from other managers; only for apply patches.')
export const pretty = query('pretty', 'string', "If 'true', the answer is indented.")
const writeParameters = [dryRun, fieldManager, fieldValidation]
export const listParameters = [
  query('allowWatchBookmarks', 'boolean', 'Send BOOKMARK events while watching.'),
  query('continue', 'string', 'Where a list in parts goes on: the token of its last part.'),
  query('fieldSelector', 'string', 'Only objects whose fields have these values.'),
  query('labelSelector', 'string', 'Only objects whose labels match.'),
  query('limit', 'integer', 'The most objects in one answer.'),
  query('resourceVersion', 'string', 'The version from which, or as of which, to answer.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'Begin a watch with the objects that exist.'),
  query('timeoutSeconds', 'integer', 'The longest time that a list or watch may take.'),
  query('watch', 'boolean', 'Send the changes as they happen.'),
]
const deleteParameters = [
  dryRun,
  query('gracePeriodSeconds', 'integer', 'Seconds before the object goes; zero is at once.'),
  query('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  query('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
]
const logParameters = [
  query('container', 'string', 'The container that is meant; may be left out when the pod has one.'),
  query('follow', 'boolean', 'Go on with what is printed from now on, until the container has ended.'),
  query('insecureSkipTLSVerifyBackend', 'boolean', 'Without effect: nodes are reached without a port of their own.'),
  query('limitBytes', 'integer', 'End after so many bytes.'),
  query('previous', 'boolean', 'The output of the instance before the present one.'),
  query('sinceSeconds', 'integer', 'Only lines of the last so many seconds.'),
  query('sinceTime', 'string', 'Only lines of this time (RFC 3339) or later.'),
  query('stream', 'string', 'All (the default), Stdout or Stderr.'),
  query('tailLines', 'integer', 'Only the last so many lines.'),
  query('timestamps', 'boolean', 'Put the time of each line before it.'),
]
const deletecollectionParameters = [
  ...deleteParameters,
  ...listParameters.filter(({ name }) => !['allowWatchBookmarks', 'watch'].includes(name as string)),
]

interface Target {
  readonly resource: ResourceInfo
  readonly subresource: Subresource | undefined
  readonly registry: SchemaRegistry
  /** Definitions that the operations mention. */
  readonly wanted: Set<string>
}

/** All paths of a resource; the definitions that they mention are added to `wanted`. */
export const operationsOf = (
  registry: SchemaRegistry,
  resource: ResourceInfo,
  wanted: Set<string>,
): Record<string, JsonObject> => {
  const root = `/${resource.group ? 'apis' : 'api'}/${apiVersionOf(resource.group, resource.version)}`
  const scope = resource.namespaced ? '/namespaces/{namespace}' : ''
  const scopeParameters = resource.namespaced
    ? [inPath('namespace', 'Object name and auth scope, such as for teams and projects.')]
    : []
  const nameParameter = inPath('name', `Name of the ${resource.kind}.`)
  const paths: Record<string, JsonObject> = {}
  const add = (path: string, operations: JsonObject, parameters: readonly JsonObject[]): void => {
    if (Object.keys(operations).length > 0) paths[path] = { ...operations, parameters: [...parameters, pretty] }
  }
  const target: Target = { resource, subresource: undefined, registry, wanted }
  const collection = `${root}${scope}/${resource.resource}`
  add(collection, pick(target, { list: 'get', create: 'post', deletecollection: 'delete' }, ''), scopeParameters)
  if (resource.namespaced && resource.verbs.includes('list')) {
    add(`${root}/${resource.resource}`, pick(target, { list: 'get' }, 'ForAllNamespaces'), [])
  }
  const item = `${collection}/{name}`
  add(item, pick(target, { get: 'get', update: 'put', patch: 'patch', delete: 'delete' }, ''), [
    ...scopeParameters,
    nameParameter,
  ])
  for (const subresource of resource.subresources) {
    const verbs = { get: 'get', create: 'post', update: 'put', patch: 'patch', delete: 'delete' }
    add(`${item}/${subresource.name}`, pick({ ...target, subresource }, verbs, ''), [...scopeParameters, nameParameter])
  }
  return paths
}

const pick = (target: Target, methods: Readonly<Record<string, string>>, suffix: string): JsonObject => {
  const { resource, subresource } = target
  const operations: JsonObject = {}
  for (const [verb, method] of Object.entries(methods)) {
    if ((subresource ?? resource).verbs.includes(verb)) operations[method] = operation(target, verb, method, suffix)
  }
  return operations
}

const sentences: Readonly<Record<string, string>> = {
  list: 'list or watch objects of kind',
  create: 'create a',
  deletecollection: 'delete collection of',
  get: 'read the specified',
  update: 'replace the specified',
  patch: 'partially update the specified',
  delete: 'delete a',
}
const operationWords: Readonly<Record<string, string>> = {
  get: 'read',
  update: 'replace',
  deletecollection: 'deleteCollection',
}
const actions: Readonly<Record<string, string>> = { create: 'post', update: 'put' }

const operation = (target: Target, verb: string, method: string, suffix: string): JsonObject => {
  const { resource, subresource } = target
  // Connections carry no object: exec, proxy, log.
  const connection = subresource !== undefined && subresource.definition === ''
  const kind = {
    group: subresource?.version ? (subresource.group ?? '') : resource.group,
    kind: subresource?.kind ?? resource.kind,
    version: subresource?.version ?? resource.version,
  }
  const action = connection && subresource.name !== 'log' ? 'connect' : (actions[verb] ?? verb)
  const words = connection && action === 'connect' ? `connect${capital(method)}` : (operationWords[verb] ?? verb)
  return {
    tags: [tagOf(resource)],
    description: subresource
      ? `${sentences[verb]} ${resource.kind}'s ${subresource.name}`
      : `${sentences[verb]} ${resource.kind}`,
    operationId: `${words}${groupWord(resource)}${capital(resource.version)}${
      resource.namespaced && suffix === '' ? 'Namespaced' : ''
    }${resource.kind}${subresource ? capital(subresource.name) : ''}${suffix}`,
    ...withParameters(verb, connection, subresource?.name),
    ...requestBody(target, verb, connection),
    responses: responses(target, verb, connection),
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  }
}

const withParameters = (verb: string, connection: boolean, subresource: string | undefined): JsonObject => {
  if (connection) return subresource === 'log' ? { parameters: logParameters } : {}
  switch (verb) {
    case 'list':
      return { parameters: listParameters }
    case 'create':
    case 'update':
      return { parameters: writeParameters }
    case 'patch':
      return { parameters: [...writeParameters, force] }
    case 'delete':
      return { parameters: deleteParameters }
    case 'deletecollection':
      return { parameters: deletecollectionParameters }
    default:
      return {}
  }
}

const content = (types: readonly string[], schema: JsonObject): JsonObject =>
  Object.fromEntries(types.map((type) => [type, { schema }]))

const requestBody = (target: Target, verb: string, connection: boolean): JsonObject => {
  if (connection) return {}
  const body = (definition: string, types: readonly string[], required: boolean): JsonObject => {
    target.wanted.add(definition)
    return { requestBody: { content: content(types, refTo(definition)), ...(required ? { required } : {}) } }
  }
  switch (verb) {
    case 'create':
    case 'update':
      return body(
        target.subresource?.definition ?? target.resource.definition,
        isCustom(target) ? bodyTypesOfCustom : bodyTypes,
        true,
      )
    case 'patch':
      return body(patchDefinition, isCustom(target) ? patchTypesOfCustom : patchTypes, true)
    case 'delete':
    case 'deletecollection':
      return body(deleteOptions, bodyTypes, false)
    default:
      return {}
  }
}

const responses = (target: Target, verb: string, connection: boolean): JsonObject => {
  const { resource, subresource, registry, wanted } = target
  const unauthorized = { 401: { description: 'Unauthorized' } }
  if (connection) {
    const type = subresource?.name === 'log' ? 'text/plain' : '*/*'
    return { 200: { description: 'OK', content: content([type], { type: 'string' }) }, ...unauthorized }
  }
  const item = subresource?.definition ?? resource.definition
  const list = `${resource.definition}List`
  const isList = verb === 'list' && (registry.definitions.has(list) || registry.published?.schema(list, 3) !== undefined)
  const definition =
    isList
      ? list
      : verb === 'delete' || verb === 'deletecollection'
        ? status
        : item
  wanted.add(definition)
  const types = verb === 'list' ? ['application/json', 'application/json;stream=watch'] : ['application/json']
  const answer = (description: string): JsonObject => ({ description, content: content(types, refTo(definition)) })
  switch (verb) {
    case 'create':
      return { 200: answer('OK'), 201: answer('Created'), 202: answer('Accepted'), ...unauthorized }
    case 'update':
    case 'patch':
      return { 200: answer('OK'), 201: answer('Created'), ...unauthorized }
    case 'delete':
      return { 200: answer('OK'), 202: answer('Accepted'), ...unauthorized }
    default:
      return { 200: answer('OK'), ...unauthorized }
  }
}

export const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

/** `rbac.authorization.k8s.io` is `RbacAuthorization`. */
export const groupWord = ({ group }: Pick<ResourceInfo, 'group'>): string =>
  group
    ? group
        .replace(/\.k8s\.io$/, '')
        .split('.')
        .map(capital)
        .join('')
    : 'Core'

/** `rbacAuthorization_v1` */
export const tagOf = (resource: ResourceInfo): string => {
  const word = groupWord(resource)
  return `${word.charAt(0).toLowerCase()}${word.slice(1)}_${resource.version}`
}
