// The paths of OpenAPI v2: the operations of v3 in the older form, where a body is a parameter and media types stand beside the
// operation, and those of discovery, which v3 tells of in documents of its own.
import type { JsonObject } from '../kube-object.ts'

import { capital, groupWord, inPath, listParameters, pretty, tagOf } from './openapi-operations.ts'
import { apiVersionOf, type ResourceInfo } from './schema.ts'

type ToSchema = (schema: JsonObject) => JsonObject

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
export const versionInfo = 'io.k8s.apimachinery.pkg.version.Info'
/** Definitions that the paths of discovery mention, beside that of the version. */
export const discoveryDefinitions = ['APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions'].map(
  (name) => meta + name,
)

export const watchEvent = `${meta}WatchEvent`
/** What a watch sends. */
export const watchEventSchema: JsonObject = {
  description: 'One change of an object that is watched.',
  type: 'object',
  required: ['type', 'object'],
  properties: {
    type: { type: 'string' },
    object: { $ref: '#/definitions/io.k8s.apimachinery.pkg.runtime.RawExtension' },
  },
}

/** What `/version` answers. */
export const versionInfoSchema: JsonObject = (() => {
  const required = [
    ...['major', 'minor', 'gitVersion', 'gitCommit', 'gitTreeState', 'buildDate', 'goVersion', 'compiler', 'platform'],
  ]
  const fields = [
    ...[...required.slice(0, 2), 'emulationMajor', 'emulationMinor', 'minCompatibilityMajor', 'minCompatibilityMinor'],
    ...required.slice(2),
  ]
  return {
    description: 'What the server is, and since when its answers have had their present form.',
    required,
    type: 'object',
    properties: Object.fromEntries(fields.map((name) => [name, { type: 'string' }])),
  }
})()

const parameterOf = ({ schema, ...rest }: JsonObject): JsonObject => ({ ...rest, ...(schema as JsonObject) })

/** The media types of a body and the schema that they share. */
const contentOf = (content: JsonObject): { types: string[]; schema: JsonObject } => {
  const types = Object.keys(content)
  return { types, schema: (content[types[0]!] as JsonObject)['schema'] }
}

function operationOf(operation: JsonObject, toSchema: ToSchema): JsonObject {
  const { parameters = [], requestBody, responses, ...rest } = operation
  const body = requestBody && contentOf(requestBody.content)
  const produces = new Set<string>()
  const answers = Object.entries(responses as Record<string, JsonObject>).map(([code, { description, content }]) => {
    if (!content) return [code, { description }] as const
    const { types, schema } = contentOf(content)
    for (const type of types) produces.add(type)
    return [code, { description, schema: toSchema(schema) }] as const
  })
  const bodyParameter = body && {
    name: 'body',
    in: 'body',
    ...(requestBody.required ? { required: true } : {}),
    schema: toSchema(body.schema),
  }
  const all = [...(bodyParameter ? [bodyParameter] : []), ...(parameters as JsonObject[]).map(parameterOf)]
  return {
    ...rest,
    consumes: body ? body.types : ['*/*'],
    produces: [...produces],
    schemes: ['https'],
    ...(all.length > 0 ? { parameters: all } : {}),
    responses: Object.fromEntries(answers),
  }
}

/** The paths of one document of v3. */
export function pathsOfV2(paths: Readonly<Record<string, JsonObject>>, toSchema: ToSchema): Record<string, JsonObject> {
  return Object.fromEntries(
    Object.entries(paths).map(([path, { parameters, ...operations }]) => [
      path,
      {
        ...Object.fromEntries(
          Object.entries(operations).map(([method, operation]) => [method, operationOf(operation, toSchema)]),
        ),
        ...(parameters ? { parameters: (parameters as JsonObject[]).map(parameterOf) } : {}),
      },
    ]),
  )
}

const readOnly = (description: string, operationId: string, definition: string): JsonObject => ({
  get: {
    description,
    consumes: ['application/json'],
    produces: ['application/json'],
    schemes: ['https'],
    operationId,
    responses: {
      200: { description: 'OK', schema: { $ref: `#/definitions/${definition}` } },
      401: { description: 'Unauthorized' },
    },
  },
})

/** Where the groups, their versions and their resources are listed. */
export function discoveryPaths(
  groups: readonly { readonly group: string; readonly versions: readonly string[] }[],
): Record<string, JsonObject> {
  const paths: Record<string, JsonObject> = {
    '/api/': readOnly('get available API versions', 'getCoreAPIVersions', `${meta}APIVersions`),
    '/apis/': readOnly('get available API versions', 'getAPIVersions', `${meta}APIGroupList`),
    '/version/': readOnly('get the version information for this server', 'getCodeVersion', versionInfo),
  }
  for (const { group, versions } of groups) {
    const word = groupWord({ group })
    if (group)
      paths[`/apis/${group}/`] = readOnly('get information of a group', `get${word}APIGroup`, `${meta}APIGroup`)
    for (const version of versions) {
      const path = group ? `/apis/${group}/${version}/` : `/api/${version}/`
      paths[path] = readOnly(
        'get available resources',
        `get${word}${capital(version)}APIResources`,
        `${meta}APIResourceList`,
      )
    }
  }
  return paths
}

/** The old way to watch, by a path of its own: of a collection, of all namespaces, of one object. */
export function watchPaths(resource: ResourceInfo): Record<string, JsonObject> {
  if (!resource.verbs.includes('watch')) return {}
  const root = `/${resource.group ? 'apis' : 'api'}/${apiVersionOf(resource.group, resource.version)}/watch`
  const scope = resource.namespaced ? '/namespaces/{namespace}' : ''
  const ofNamespace = resource.namespaced
    ? [inPath('namespace', 'Object name and auth scope, such as for teams and projects.')]
    : []
  const words = `watch${groupWord(resource)}${capital(resource.version)}${resource.namespaced ? 'Namespaced' : ''}${resource.kind}`
  const path = (operationId: string, action: string, parameters: readonly JsonObject[]): JsonObject => ({
    get: {
      description: `watch changes to an object of kind ${resource.kind}. Deprecated: use the 'watch' parameter with a list operation instead.`,
      consumes: ['*/*'],
      produces: ['application/json', 'application/json;stream=watch'],
      schemes: ['https'],
      tags: [tagOf(resource)],
      operationId,
      responses: {
        200: { description: 'OK', schema: { $ref: `#/definitions/${watchEvent}` } },
        401: { description: 'Unauthorized' },
      },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': { group: resource.group, kind: resource.kind, version: resource.version },
    },
    parameters: [...listParameters, ...parameters, pretty].map(parameterOf),
  })
  const collection = `${root}${scope}/${resource.resource}`
  return {
    [collection]: path(`${words}List`, 'watchlist', ofNamespace),
    ...(resource.namespaced
      ? {
          [`${root}/${resource.resource}`]: path(
            `${words.replace('Namespaced', '')}ListForAllNamespaces`,
            'watchlist',
            [],
          ),
        }
      : {}),
    ...(resource.verbs.includes('get')
      ? {
          [`${collection}/{name}`]: path(words, 'watch', [
            ...ofNamespace,
            inPath('name', `Name of the ${resource.kind}.`),
          ]),
        }
      : {}),
  }
}
