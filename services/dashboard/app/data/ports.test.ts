import { expect, test } from 'vitest'
import type { Kind } from './kinds.ts'
import { forwardsOf } from './ports.ts'

const kind = (resource: string, group = ''): Kind => ({ group, version: 'v1', resource, kind: resource, namespaced: true, verbs: [], shortNames: [] })
const metadata = { namespace: 'shop', name: 'web' }
const containers = [{ ports: [{ name: 'http', containerPort: 8080 }, { containerPort: 53, protocol: 'UDP' }] }, {}]
const commands = (of: Kind, object: object): readonly string[] => forwardsOf(of, { metadata, ...object }).map(({ command }) => command)

test('a line for each TCP port that is named, to a port that anybody may open', () => {
  expect(commands(kind('pods'), { spec: { containers } })).toEqual(['kubectl port-forward pod/web -n shop 8080:8080'])
  expect(commands(kind('services'), { spec: { ports: [{ port: 80 }, { port: 9090, protocol: 'TCP' }] } })).toEqual(['kubectl port-forward service/web -n shop 8080:80', 'kubectl port-forward service/web -n shop 9090:9090'])
  expect(commands(kind('deployments', 'apps'), { spec: { template: { spec: { containers } } } })).toEqual(['kubectl port-forward deployment/web -n shop 8080:8080'])
})

test('none where there is nothing to forward to', () => {
  expect(commands(kind('services'), { spec: { type: 'ExternalName', ports: [{ port: 80 }] } })).toEqual([])
  expect(commands(kind('deployments', 'example.com'), { spec: { template: { spec: { containers } } } })).toEqual([])
  expect(commands(kind('pods'), {})).toEqual([])
})
