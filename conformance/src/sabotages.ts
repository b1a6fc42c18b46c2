// Ways to break one feature of the API from outside, each in front of an otherwise right cluster. A conformance case that
// still passes while its feature is broken checks nothing; `sabotage.ts` shows that none does.
import type { Any, Case } from './case.ts'
import { anonymousHeader } from './http.ts'

export interface ProxiedRequest {
  method: string
  /** Path and query. */
  url: URL
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

export interface ProxiedAnswer {
  code: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

export interface Sabotage {
  readonly name: string
  /** The cases that may notice: those that use the feature. */
  readonly concerns: (one: Case) => boolean
  /** Changes the request, or answers it itself. */
  readonly request?: (request: ProxiedRequest) => ProxiedAnswer | undefined
  /** Changes the answer of anything but a watch. */
  readonly answer?: (answer: ProxiedAnswer, request: ProxiedRequest) => void
  /** What becomes of a watch's events. */
  readonly watch?: (line: string) => string | undefined
}

const isWatch = (request: ProxiedRequest): boolean => /^(1|true)$/.test(request.url.searchParams.get('watch') ?? '')
const header = (request: ProxiedRequest, name: string): string => String(request.headers[name] ?? '')
const isWrite = (request: ProxiedRequest): boolean => request.method !== 'GET'
const topics =
  (...names: readonly string[]) =>
  (one: Case): boolean =>
    names.some((name) => one.id.startsWith(name))
const rows =
  (...wanted: readonly string[]) =>
  (one: Case): boolean =>
    one.rows.some((row) => wanted.includes(row))

const json = (code: number, body: Any): ProxiedAnswer => ({
  code,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
})
const success = (): ProxiedAnswer =>
  json(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 200 })
const refusal = (code: number, reason: string): ProxiedAnswer =>
  json(code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'sabotaged', reason, code })

function withoutQuery(request: ProxiedRequest, ...names: readonly string[]): undefined {
  for (const name of names) request.url.searchParams.delete(name)
  return undefined
}

/** Changes every object in a JSON answer: single ones, list items, and the objects of table rows. */
function changeObjects(answer: ProxiedAnswer, change: (object: Any) => void): void {
  let body: Any
  try {
    body = JSON.parse(answer.body.toString('utf8'))
  } catch {
    return
  }
  for (const item of body.items ?? []) change(item)
  for (const row of body.rows ?? []) if (row.object) change(row.object)
  if (!body.items && !body.rows) change(body)
  answer.body = Buffer.from(JSON.stringify(body))
}

/** Takes items (and rows) out of JSON lists. */
function keepItems(answer: ProxiedAnswer, keep: (object: Any) => boolean): void {
  let body: Any
  try {
    body = JSON.parse(answer.body.toString('utf8'))
  } catch {
    return
  }
  if (body.items) body.items = body.items.filter(keep)
  if (body.rows) body.rows = body.rows.filter((row: Any) => keep(row.object ?? {}))
  answer.body = Buffer.from(JSON.stringify(body))
}

const swapType =
  (from: RegExp, to: string) =>
  (request: ProxiedRequest): undefined => {
    if (from.test(header(request, 'content-type'))) request.headers['content-type'] = to
    return undefined
  }

export const sabotages: readonly Sabotage[] = [
  {
    name: 'Tables are not served',
    concerns: rows('A8', 'A7'),
    request(request) {
      request.headers['accept'] = 'application/json'
      return undefined
    },
  },
  {
    name: 'table cells are wrong',
    concerns: rows('A8', 'A4'),
    answer(answer) {
      const body = answer.body.toString('utf8')
      if (!body.includes('"kind":"Table"')) return
      const table = JSON.parse(body)
      for (const row of table.rows ?? []) row.cells = row.cells.map(() => 'sabotaged')
      answer.body = Buffer.from(JSON.stringify(table))
    },
  },
  {
    name: 'metadata alone is not served',
    concerns: rows('A9'),
    answer: (answer) => changeObjects(answer, (object) => void (object.kind = 'Sabotaged')),
  },
  {
    name: 'dry runs are not dry',
    concerns: rows('C12'),
    request: (request) => withoutQuery(request, 'dryRun'),
  },
  {
    name: 'fields are not validated',
    concerns: rows('C13'),
    request: (request) => withoutQuery(request, 'fieldValidation'),
  },
  {
    name: 'label selectors are ignored',
    concerns: rows('B5', 'C19', 'C11'),
    request: (request) => withoutQuery(request, 'labelSelector'),
  },
  {
    name: 'field selectors are ignored',
    concerns: rows('B6', 'B7'),
    request: (request) => withoutQuery(request, 'fieldSelector'),
  },
  {
    name: 'list options are ignored',
    concerns: rows('B3', 'B4', 'B8', 'B11'),
    request: (request) =>
      withoutQuery(request, 'resourceVersion', 'resourceVersionMatch', 'limit', 'continue', 'sendInitialEvents'),
  },
  {
    name: 'apply is always forced',
    concerns: rows('C9'),
    request(request) {
      if (header(request, 'content-type').includes('apply-patch')) request.url.searchParams.set('force', 'true')
      return undefined
    },
  },
  {
    name: 'server-side apply is a merge patch',
    concerns: rows('C9'),
    request: swapType(/apply-patch/, 'application/merge-patch+json'),
  },
  {
    name: 'strategic merge is plain merge',
    concerns: rows('C8'),
    request: swapType(/strategic-merge-patch/, 'application/merge-patch+json'),
  },
  {
    name: 'patches change nothing',
    concerns: rows('C6', 'C7', 'C8', 'C11', 'C15', 'C16', 'D11', 'C10'),
    request(request) {
      if (request.method !== 'PATCH' || header(request, 'content-type').includes('apply-patch')) return undefined
      request.body = Buffer.from(header(request, 'content-type').includes('json-patch') ? '[]' : '{}')
      return undefined
    },
  },
  {
    name: 'protobuf bodies are refused',
    concerns: rows('A10'),
    request: (request) =>
      header(request, 'content-type').includes('protobuf') ? refusal(415, 'UnsupportedMediaType') : undefined,
  },
  {
    name: 'YAML bodies are refused',
    concerns: rows('A10'),
    request: (request) =>
      header(request, 'content-type') === 'application/yaml' ? refusal(415, 'UnsupportedMediaType') : undefined,
  },
  {
    name: 'stale versions are accepted',
    concerns: rows('C4', 'C17'),
    request(request) {
      if (request.method !== 'PUT') return undefined
      request.body = Buffer.from(
        request.body.toString('utf8').replace(/"resourceVersion":\s*"\d+"/, '"resourceVersion":""'),
      )
      return undefined
    },
  },
  {
    name: 'no change is a change',
    concerns: rows('C4', 'B1'),
    answer: (answer) =>
      changeObjects(answer, (object) => {
        if (object.metadata?.resourceVersion)
          object.metadata.resourceVersion = String(Math.floor(performance.now() * 1000))
      }),
  },
  {
    name: 'replacing changes nothing',
    concerns: rows('C4', 'C16', 'H1', 'C14'),
    request(request) {
      if (request.method !== 'PUT') return undefined
      request.method = 'GET'
      request.body = Buffer.alloc(0)
      return undefined
    },
  },
  {
    name: 'options of deletions are ignored',
    concerns: rows('C17', 'C18'),
    request(request) {
      if (request.method !== 'DELETE') return undefined
      request.body = Buffer.alloc(0)
      delete request.headers['content-type']
      return withoutQuery(request, 'propagationPolicy', 'gracePeriodSeconds')
    },
  },
  {
    name: 'deletions do nothing',
    concerns: rows('C17', 'C18', 'C19', 'C21'),
    request: (request) => (request.method === 'DELETE' ? success() : undefined),
  },
  {
    name: 'finalizers do not hold',
    concerns: rows('C18', 'C21', 'E9', 'B7'),
    request(request) {
      if (!isWrite(request)) return undefined
      const text = request.body.toString('utf8')
      if (/"finalizers":/.test(text))
        request.body = Buffer.from(text.replace(/"finalizers":\s*\[[^\]]*\]/, '"finalizers":[]'))
      return undefined
    },
    answer: (answer) => changeObjects(answer, (object) => void delete object.metadata?.finalizers),
  },
  {
    name: 'watches tell nothing',
    concerns: rows('B7', 'B9', 'B10', 'B11', 'B13'),
    watch: () => undefined,
  },
  {
    name: 'watches tell of additions alone',
    concerns: rows('B7', 'B13'),
    watch: (line) => (line.includes('"type":"ADDED"') ? line : undefined),
  },
  {
    name: 'deployments are paused for ever',
    concerns: (one) => topics('rollout', 'helm', 'modify', 'describe', 'get', 'apply', 'wait', 'server', 'delete')(one),
    request(request) {
      if (!/\/deployments(\/|$)/.test(request.url.pathname) || !['POST', 'PATCH', 'PUT'].includes(request.method))
        return undefined
      const text = request.body.toString('utf8')
      if (text.startsWith('{') && /"replicas":\s*\d+/.test(text))
        request.body = Buffer.from(text.replace(/"replicas":\s*\d+/, '"paused":true,"replicas":0'))
      return undefined
    },
  },
  {
    name: 'lists are empty',
    concerns: rows('A4', 'A8', 'B2', 'B5', 'B6', 'B7', 'C11', 'C22', 'A7'),
    answer(answer, request) {
      if (request.method === 'GET') keepItems(answer, () => false)
    },
  },
  {
    name: 'lists hold too much',
    concerns: rows('C19', 'C17', 'B7', 'A7'),
    answer(answer) {
      let body: Any
      try {
        body = JSON.parse(answer.body.toString('utf8'))
      } catch {
        return
      }
      const metadata = { name: 'sabotaged', namespace: 'x', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }
      body.items?.push({ ...body.items[0], metadata })
      body.rows?.push({
        cells: (body.columnDefinitions ?? []).map(() => 'sabotaged'),
        object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata },
      })
      answer.body = Buffer.from(JSON.stringify(body))
    },
  },
  {
    name: 'discovery is empty',
    concerns: rows('A3', 'A4'),
    request(request) {
      if (request.url.pathname !== '/apis' && request.url.pathname !== '/api') return undefined
      return json(200, { kind: 'APIGroupList', apiVersion: 'v1', groups: [], versions: [] })
    },
  },
  {
    name: 'discovery invents a resource',
    concerns: rows('A4'),
    request(request) {
      if (!request.url.pathname.endsWith('/gizmos')) return undefined
      return json(200, { kind: 'GizmoList', apiVersion: 'v1', metadata: {}, items: [] })
    },
    answer(answer, request) {
      if (request.url.pathname !== '/api' || !answer.body.includes('APIGroupDiscoveryList')) return
      const list = JSON.parse(answer.body.toString('utf8'))
      list.items[0].versions[0].resources.push({
        resource: 'gizmos',
        responseKind: { group: '', version: 'v1', kind: 'Gizmo' },
        scope: 'Namespaced',
        singularResource: 'gizmo',
        verbs: ['get', 'list'],
      })
      answer.body = Buffer.from(JSON.stringify(list))
      delete answer.headers['etag']
    },
  },
  {
    name: 'schemas are not served',
    concerns: rows('A5'),
    request: (request) => (request.url.pathname.startsWith('/openapi') ? refusal(404, 'NotFound') : undefined),
  },
  {
    name: 'health, versions and reviews are wrong',
    concerns: rows('A1', 'A2', 'E14', 'E15', 'A10'),
    request(request) {
      const { pathname } = request.url
      if (/^\/(livez|readyz|healthz)/.test(pathname)) return refusal(500, 'InternalError')
      if (pathname === '/version') return json(200, { major: 'one', minor: 'x', gitVersion: 'v0' })
      return pathname.endsWith('/selfsubjectreviews') ? refusal(404, 'NotFound') : undefined
    },
  },
  {
    name: 'everybody is let in',
    concerns: rows('E14', 'E15'),
    request(request) {
      delete request.headers['authorization']
      delete request.headers[anonymousHeader]
      return undefined
    },
  },
  {
    name: 'errors say nothing',
    concerns: rows('A7', 'C1', 'C13', 'C14', 'C9', 'C17', 'C18', 'E9', 'E10', 'E30', 'E31', 'A5', 'A4', 'B8', 'C23', 'C21'),
    answer(answer) {
      if (answer.code < 400) return
      const { code, headers, body } = refusal(418, 'Unknown')
      Object.assign(answer, { code, headers, body })
    },
  },
  {
    name: 'errors are told as successes',
    concerns: rows('A7', 'C14', 'C6', 'C9', 'D5', 'C1'),
    answer(answer) {
      if (answer.code < 400 || answer.code === 404) return
      Object.assign(answer, success())
    },
  },
  {
    name: 'answers lack what the server fills in',
    concerns: rows('C1', 'H1', 'E9', 'C15', 'A10', 'C5', 'C10', 'C12', 'C22', 'D5', 'C16', 'C21', 'A4'),
    answer: (answer) =>
      changeObjects(answer, (object) => {
        for (const field of ['uid', 'generation', 'managedFields', 'creationTimestamp']) delete object.metadata?.[field]
        if (object.metadata?.labels) object.metadata.labels = {}
        delete object.spec
        delete object.status
      }),
  },
  {
    name: 'answers lack annotations',
    concerns: rows('C11', 'C7', 'C8', 'C1', 'A10', 'B7'),
    answer: (answer) => changeObjects(answer, (object) => void delete object.metadata?.annotations),
  },
  {
    name: 'answers lack warnings',
    concerns: rows('A11'),
    answer: (answer) => void delete answer.headers['warning'],
  },
  {
    name: 'answers lack managed fields',
    concerns: rows('C10', 'C9'),
    answer: (answer) => changeObjects(answer, (object) => void delete object.metadata?.managedFields),
  },
  {
    name: 'answers lack data',
    concerns: rows('A10', 'C1', 'C11', 'C9', 'C7', 'A4', 'A7', 'C23', 'C4', 'C22', 'B4'),
    answer: (answer) =>
      changeObjects(answer, (object) => {
        for (const field of ['data', 'rules', 'immutable', 'value']) delete object[field]
      }),
  },
  {
    name: 'status and scale are not apart',
    concerns: rows('C15', 'C16', 'D11'),
    request(request) {
      request.url.pathname = request.url.pathname.replace(/\/(status|scale)$/, '')
      return undefined
    },
  },
  {
    name: 'creations are forgotten',
    concerns: () => true,
    request(request) {
      if (request.method !== 'POST' || request.url.pathname.endsWith('/namespaces')) return undefined
      return json(201, {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: { name: 'sabotaged' },
        status: 'Success',
        code: 201,
      })
    },
  },
  {
    name: 'nothing exists',
    concerns: () => true,
    request: (request) =>
      request.method === 'GET' && !isWatch(request) && /^\/apis?\/.+\/.+\/.+/.test(request.url.pathname)
        ? refusal(404, 'NotFound')
        : undefined,
  },
]
