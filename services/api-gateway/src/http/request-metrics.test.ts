import { createMetricsRegistry } from '@shiplog/runtime/metrics'
import { expect, test } from 'vitest'
import { createRequestMetrics, labelsOf, labelsOfOther } from './request-metrics.ts'

const deployments = {
  ...{ group: 'apps', version: 'v1', resource: 'deployments' },
  subresources: [{ name: 'scale' }],
}
const plain = { apply: false, dryRun: false }

test.each([
  ['list', { namespace: '', name: '', subresource: '' }, 'LIST', 'cluster'],
  ['list', { namespace: 'a', name: '', subresource: '' }, 'LIST', 'namespace'],
  ['create', { namespace: 'a', name: '', subresource: '' }, 'POST', 'resource'],
  ['get', { namespace: 'a', name: 'b', subresource: 'scale' }, 'GET', 'resource'],
] as const)('%s of %o is %s of scope %s', (verb, path, reported, scope) => {
  expect(labelsOf(verb, deployments, path, plain)).toMatchObject({ verb: reported, scope, group: 'apps' })
})

test('a subresource that there is not is no label', () => {
  const path = { namespace: 'a', name: 'b', subresource: 'made-up' }
  expect(labelsOf('get', deployments, path, plain)).toMatchObject({ subresource: '', resource: 'deployments' })
})

test('an apply is no patch, and a dry run says so', () => {
  const path = { namespace: 'a', name: 'b', subresource: '' }
  const labels = labelsOf('patch', deployments, path, { apply: true, dryRun: true })
  expect(labels).toMatchObject({ verb: 'APPLY', dryRun: 'All' })
})

test('requests have upstream’s names and labels', async () => {
  const registry = createMetricsRegistry()
  const metrics = createRequestMetrics(registry)
  metrics.answered(labelsOfOther('GET'), 404, 0.03)
  const watch = metrics.longRunning(
    labelsOf('watch', deployments, { namespace: 'a', name: '', subresource: '' }, plain),
  )
  metrics.inFlight('PUT')
  const text = await registry.text()
  const none = 'dry_run="",group="",version="",resource="",subresource="",scope="",component="apiserver"'
  expect(text).toContain(`apiserver_request_total{verb="GET",${none},code="404"} 1\n`)
  expect(text).toContain(`apiserver_request_duration_seconds_bucket{verb="GET",${none},le="0.05"} 1\n`)
  expect(text).toContain('apiserver_current_inflight_requests{request_kind="mutating"} 1\n')
  const open =
    'apiserver_longrunning_requests{verb="WATCH",group="apps",version="v1",resource="deployments",subresource="",scope="namespace",component="apiserver"}'
  expect(text).toContain(`${open} 1\n`)
  watch[Symbol.dispose]()
  watch[Symbol.dispose]()
  expect(await registry.text()).toContain(`${open} 0\n`)
})
