import { expect, test } from 'vitest'
import { serviceEnvironment, servicesFor } from './service-environment.ts'

const service = (namespace: string, name: string, clusterIP: string, ...ports: object[]): any => ({
  metadata: { namespace, name },
  spec: { clusterIP, ports },
})
const api = service('default', 'kubernetes', '10.96.0.1', { name: 'https', port: 443, protocol: 'TCP' })
const db = service('shop', 'my-db', '10.96.0.7', { name: 'sql', port: 5432 }, { port: 9, protocol: 'UDP' })
const pod = (spec: object = {}): any => ({ metadata: { namespace: 'shop', name: 'p' }, spec })

test('a container is told of the Services of its namespace, and of the API', () => {
  expect(serviceEnvironment([db])).toEqual({
    MY_DB_SERVICE_HOST: '10.96.0.7',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_SQL: '5432',
    MY_DB_PORT: 'tcp://10.96.0.7:5432',
    MY_DB_PORT_5432_TCP: 'tcp://10.96.0.7:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: '10.96.0.7',
    MY_DB_PORT_9_UDP: 'udp://10.96.0.7:9',
    MY_DB_PORT_9_UDP_PROTO: 'udp',
    MY_DB_PORT_9_UDP_PORT: '9',
    MY_DB_PORT_9_UDP_ADDR: '10.96.0.7',
  })
})

test('which those are: with an address, of its namespace, and the API’s unless it has one of that name itself', () => {
  const headless = service('shop', 'none', 'None')
  const other = service('elsewhere', 'x', '10.96.0.9')
  const own = service('shop', 'kubernetes', '10.96.0.99')
  const named = (services: any[], spec?: object) => servicesFor(pod(spec), services).map(({ spec }) => spec!.clusterIP)
  expect(named([api, db, headless, other])).toEqual(['10.96.0.1', '10.96.0.7'])
  expect(named([own, api])).toEqual(['10.96.0.99'])
  expect(named([api, own])).toEqual(['10.96.0.99'])
  expect(named([api, db], { enableServiceLinks: false })).toEqual(['10.96.0.1'])
})
