// Good requests, sent to upstream's API server and to ours: what is made of a valid manifest by every verb, in every
// representation: defaults, managed fields, generation, strategy resets, warnings, list metadata, Tables.
import type { Any } from '../src/case.ts'
import { comparedWarnings, type HttpAnswer, type HttpClient, type HttpRequest } from '../src/http.ts'
import { blank, type Report } from './report.ts'
import { comparedNamespace, type ValidManifest, validManifests } from './valid-manifests.ts'

interface Step {
  readonly name: string
  readonly request: HttpRequest
}

const merge = { 'content-type': 'application/merge-patch+json' }
const strategic = { 'content-type': 'application/strategic-merge-patch+json' }
const applyYaml = { 'content-type': 'application/apply-patch+yaml' }
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
const metadataOnly = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' }
const kubectl = { 'user-agent': 'kubectl/v1.36.3 (linux/amd64)' }

const mark = 'example.com/compared'

/** The life of one object, step by step. */
function lifeOf({ path, object, change, status }: ValidManifest): Step[] {
  const name: string = object.metadata.name
  const item = `${path}/${name}`
  const labelled = (more: Any): Any => ({
    ...object,
    metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...more } },
  })
  const patch = (given: Any, headers: Any = merge, query = ''): HttpRequest => ({
    method: 'PATCH',
    path: `${item}${query}`,
    headers,
    body: JSON.stringify(given),
  })
  return [
    { name: 'create by dry run', request: { method: 'POST', path: `${path}?dryRun=All`, body: object } },
    { name: 'create', request: { method: 'POST', path, body: labelled({ [mark]: name }), headers: kubectl } },
    { name: 'get', request: { path: item } },
    { name: 'get as a Table', request: { path: item, headers: table } },
    { name: 'get as metadata', request: { path: item, headers: metadataOnly } },
    { name: 'patch metadata', request: patch({ metadata: { annotations: { note: 'x' } } }) },
    ...(change ? [{ name: 'patch', request: patch(change) }] : []),
    {
      name: 'strategic patch',
      request: patch({ metadata: { labels: { more: 'x' }, $retainKeys: null } }, strategic),
    },
    { name: 'apply', request: patch(labelled({ applied: 'x' }), applyYaml, '?fieldManager=applier&force=true') },
    { name: 'apply again', request: patch(labelled({ again: 'x' }), applyYaml, '?fieldManager=applier&force=true') },
    { name: 'replace', request: { method: 'PUT', path: item, body: labelled({ [mark]: name, replaced: 'x' }) } },
    ...(status
      ? [{ name: 'patch status', request: { ...patch({ status, spec: { ignored: 'x' } }), path: `${item}/status` } }]
      : []),
    { name: 'list', request: { path: `${path}?labelSelector=${encodeURIComponent(`${mark}=${name}`)}` } },
    {
      name: 'list as a Table',
      request: { path: `${path}?labelSelector=${encodeURIComponent(`${mark}=${name}`)}`, headers: table },
    },
    { name: 'delete by dry run', request: { method: 'DELETE', path: `${item}?dryRun=All` } },
    { name: 'delete', request: { method: 'DELETE', path: item, body: { propagationPolicy: 'Background' } } },
    { name: 'get what was deleted', request: { path: item } },
  ]
}

const seen = ({ code, json, text, headers }: HttpAnswer): unknown => ({
  code,
  body: normalized(json ?? text.slice(0, 300)),
  type: headers['content-type'],
  warnings: comparedWarnings(headers['warning']),
})

/** Addresses and ports that are drawn, and what differs from run to run. */
const drawn = (key: string, value: unknown): unknown => {
  if (key === 'resourceVersion' && typeof value === 'string') return '<version>'
  if ((key === 'nodePort' || key === 'healthCheckNodePort') && typeof value === 'number') return '<port>'
  if (typeof value !== 'string') return value
  if (/^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/.test(value)) return '<address>'
  if (key === 'clusterIP' && value !== 'None' && value !== '') return '<address>'
  // Ages in Tables.
  if (/^(\d+[smhd])+$/.test(value) && key !== '') return value
  return value
}

const normalized = (value: unknown): unknown => JSON.parse(JSON.stringify(blank(value), drawn))

async function both(upstream: HttpClient, ours: HttpClient, request: HttpRequest): Promise<[HttpAnswer, HttpAnswer]> {
  return await Promise.all([upstream.send(request), ours.send(request)])
}

export async function compareGoodRequests(upstream: HttpClient, ours: HttpClient, report: Report): Promise<void> {
  const setUp = async (path: string, body: unknown): Promise<void> => {
    for (const answer of await both(upstream, ours, { method: 'POST', path, body }))
      if (answer.code !== 201 && answer.code !== 409) throw new Error(`${path}: ${answer.code} ${answer.text}`)
  }
  await setUp('/api/v1/namespaces', { metadata: { name: comparedNamespace } })
  await setUp(`/api/v1/namespaces/${comparedNamespace}/serviceaccounts`, { metadata: { name: 'default' } })
  for (const given of validManifests) {
    for (const step of lifeOf(given)) {
      const name = `${given.name}: ${step.name}`
      // The life goes on even where a step is not asked for: later steps build on it.
      const [expected, actual] = await both(upstream, ours, step.request)
      if (report.wants(name)) report.compare(name, seen(expected), seen(actual))
    }
  }
}
