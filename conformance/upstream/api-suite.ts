// What a client asks before and beside objects, sent to upstream's API server and to ours: discovery, versions, OpenAPI,
// methods, field validation, generated names, selectors, pages.
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { apiVersionOf } from '@shiplog/api/schema/schema'
import type { Any } from '../src/case.ts'
import type { HttpAnswer, HttpClient, HttpRequest } from '../src/http.ts'
import { blank, type Report } from './report.ts'
import { comparedNamespace } from './valid-manifests.ts'

interface Question {
  readonly name: string
  readonly request: HttpRequest
  /** What of the answer is compared; by default code, body and warnings. */
  readonly read?: (answer: HttpAnswer) => unknown
}

const configMaps = `/api/v1/namespaces/${comparedNamespace}/configmaps`
const aggregated = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json' }

/** Groups and versions that both serve: which of upstream's we serve at all is said by the lists of groups. */
const groupVersions = [
  ...new Set(builtInRegistry().resources.map(({ group, version }) => apiVersionOf(group, version))),
].sort()

const pathOf = (apiVersion: string): string => (apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`)

const sortedBy = (list: readonly Any[] | undefined, key: string): readonly Any[] =>
  [...(list ?? [])].sort((a, b) => (a[key] < b[key] ? -1 : 1))

/** Resources by name; hashes of storage versions are upstream's own. */
const resourcesOf = ({ code, json }: HttpAnswer): unknown => ({
  code,
  kind: json?.kind,
  groupVersion: json?.groupVersion,
  resources: Object.fromEntries(
    (json?.resources ?? []).map(({ storageVersionHash: _, ...one }: Any) => [
      one.name,
      { ...one, verbs: [...one.verbs].sort(), shortNames: one.shortNames ?? null, categories: one.categories ?? null },
    ]),
  ),
})

const aggregatedOf = ({ code, json }: HttpAnswer): unknown => ({
  code,
  kind: json?.kind,
  apiVersion: json?.apiVersion,
  groups: Object.fromEntries(
    (json?.items ?? []).map((group: Any) => [
      group.metadata?.name ?? '',
      Object.fromEntries(
        sortedBy(group.versions, 'version').map((version) => [
          version['version'],
          {
            freshness: version['freshness'],
            resources: Object.fromEntries((version['resources'] ?? []).map((one: Any) => [one.resource, one])),
          },
        ]),
      ),
    ]),
  ),
})

const properties = (definition: Any): unknown =>
  Object.fromEntries(
    Object.entries((definition?.properties ?? {}) as Any).map(([name, one]: [string, any]) => [
      name,
      { type: one.type ?? null, format: one.format ?? null, required: (definition.required ?? []).includes(name) },
    ]),
  )

/** Types of the fields of one kind: descriptions are in words of our own. */
const schemaOf =
  (kind: string) =>
  ({ code, json }: HttpAnswer): unknown => {
    const schemas = (json?.components?.schemas ?? {}) as Any
    const name = Object.keys(schemas).find((key) => key.endsWith(`.${kind}`)) ?? ''
    return { code, name, schema: properties(schemas[name]), spec: properties(schemas[`${name}Spec`]) }
  }

const questions: readonly Question[] = [
  { name: 'GET /api', request: { path: '/api' }, read: ({ code, json }) => ({ code, versions: json?.versions }) },
  {
    name: 'GET /apis',
    request: { path: '/apis' },
    read: ({ code, json }) => ({
      code,
      groups: Object.fromEntries((json?.groups ?? []).map((one: Any) => [one.name, one])),
    }),
  },
  { name: 'GET /api aggregated', request: { path: '/api', headers: aggregated }, read: aggregatedOf },
  { name: 'GET /apis aggregated', request: { path: '/apis', headers: aggregated }, read: aggregatedOf },
  ...groupVersions.map(
    (apiVersion): Question => ({
      name: `GET resources of ${apiVersion}`,
      request: { path: pathOf(apiVersion) },
      read: resourcesOf,
    }),
  ),
  { name: 'GET /apis/apps', request: { path: '/apis/apps' } },
  {
    name: 'GET /version',
    request: { path: '/version' },
    read: ({ code, json }) => ({
      code,
      fields: Object.keys(json ?? {}).sort(),
      major: json?.major,
      minor: json?.minor,
    }),
  },
  {
    name: 'GET /openapi/v3',
    request: { path: '/openapi/v3' },
    read: ({ code, json }) => ({
      code,
      paths: Object.fromEntries(
        Object.keys(json?.paths ?? {})
          .filter((path) => path.split('/').length > 1 && /\/v\d+$/.test(path))
          .map((path) => [path, true]),
      ),
    }),
  },
  ...[
    ['v1', 'Pod'],
    ['v1', 'Service'],
    ['v1', 'ConfigMap'],
    ['v1', 'Secret'],
    ['v1', 'Node'],
    ['v1', 'PersistentVolumeClaim'],
    ['apps/v1', 'Deployment'],
    ['apps/v1', 'StatefulSet'],
    ['batch/v1', 'Job'],
    ['batch/v1', 'CronJob'],
    ['networking.k8s.io/v1', 'Ingress'],
    ['autoscaling/v2', 'HorizontalPodAutoscaler'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ].map(
    ([apiVersion, kind]): Question => ({
      name: `schema of ${kind}`,
      request: { path: `/openapi/v3${pathOf(apiVersion!)}` },
      read: schemaOf(kind!),
    }),
  ),
  { name: 'HEAD of a list', request: { method: 'HEAD', path: configMaps }, read: ({ code, text }) => ({ code, text }) },
  { name: 'OPTIONS of a list', request: { method: 'OPTIONS', path: configMaps } },
  { name: 'PUT of a list', request: { method: 'PUT', path: configMaps, body: {} } },
  { name: 'POST of an item', request: { method: 'POST', path: `${configMaps}/x`, body: {} } },
  { name: 'PATCH of a list', request: { method: 'PATCH', path: configMaps, body: {} } },
  { name: 'DELETE of /version', request: { method: 'DELETE', path: '/version' } },
  { name: 'POST to /api', request: { method: 'POST', path: '/api', body: {} } },
  ...['Strict', 'Warn', 'Ignore', ''].map(
    (mode): Question => ({
      name: `fieldValidation ${mode || 'unsaid'}`,
      request: {
        method: 'POST',
        path: `${configMaps}?dryRun=All${mode ? `&fieldValidation=${mode}` : ''}`,
        body: '{"metadata":{"name":"x","nope":1},"data":{"a":"1","a":"2"},"unknown":{}}',
      },
    }),
  ),
  {
    name: 'fieldValidation of an unknown way',
    request: { method: 'POST', path: `${configMaps}?fieldValidation=Maybe`, body: {} },
  },
  {
    name: 'a generated name',
    request: { method: 'POST', path: `${configMaps}?dryRun=All`, body: { metadata: { generateName: 'made-' } } },
    read: ({ code, json }) => ({ code, name: /^made-[a-z0-9]{5}$/.test(json?.metadata?.name) }),
  },
  ...[
    'labelSelector=page%3Dyes',
    'labelSelector=page%20in%20(yes,no),!other',
    'labelSelector=page%21%3Dyes',
    'fieldSelector=metadata.name%3Dpage-1',
    'fieldSelector=metadata.name%21%3Dpage-1',
    'limit=1',
    'limit=2&labelSelector=page',
    'resourceVersion=0',
  ].map(
    (query): Question => ({
      name: `list with ${decodeURIComponent(query)}`,
      request: { path: `${configMaps}?${query}` },
      read: ({ code, json }) => ({
        code,
        kind: json?.kind,
        metadata: Object.keys(json?.metadata ?? {}).sort(),
        remaining: json?.metadata?.remainingItemCount ?? null,
        names: (json?.items ?? []).map(({ metadata }: Any) => metadata.name),
      }),
    }),
  ),
  {
    name: 'delete of a collection',
    request: { method: 'DELETE', path: `${configMaps}?labelSelector=page` },
    read: ({ code, json }) => ({
      code,
      kind: json?.kind,
      names: json?.items?.map(({ metadata }: Any) => metadata.name) ?? null,
    }),
  },
]

const seen = ({ code, json, text, headers }: HttpAnswer): unknown => ({
  code,
  body: blank(json ?? text.slice(0, 300)),
  warnings: headers['warning'] ?? null,
})

export async function compareApi(upstream: HttpClient, ours: HttpClient, report: Report): Promise<void> {
  for (const http of [upstream, ours]) {
    await http.send({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: comparedNamespace } } })
    for (let number = 1; number <= 4; number++) {
      const metadata = { name: `page-${number}`, labels: { page: number % 2 ? 'yes' : 'no' } }
      await http.send({ method: 'POST', path: configMaps, body: { metadata } })
    }
  }
  for (const { name, request, read = seen } of questions) {
    const [expected, actual] = await Promise.all([upstream.send(request), ours.send(request)])
    if (report.wants(name)) report.compare(name, read(expected), read(actual))
  }
}
