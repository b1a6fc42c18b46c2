import type { KubeObject } from '@shiplog/api/kube-object'
import { expect, test } from 'vitest'
import type { Tunnels } from '../streaming/tunnels.ts'
import { createServiceDialer } from './service-dialer.ts'

const service = { metadata: { name: 's', namespace: 'n' }, spec: { ports: [{ name: 'https', port: 443 }] } }
const pod = { metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { nodeName: 'node-1' } }
const endpoint = (address: string, more = {}) => ({ addresses: [address], targetRef: { kind: 'Pod', name: 'p', namespace: 'n' }, ...more })

function dialerOver(endpoints: readonly object[]) {
  const opened: unknown[] = []
  const slice = {
    metadata: { name: 's-1', namespace: 'n', labels: { 'kubernetes.io/service-name': 's' } },
    ports: [{ name: 'https', port: 8443 }],
    endpoints,
  }
  const objects: Readonly<Record<string, object>> = { 'services/s': service, 'pods/p': pod }
  const dialer = createServiceDialer({
    view: {
      get: (resource, _, name) => objects[`${resource}/${name}`] as KubeObject | undefined,
      list: (resource) => (resource === 'endpointslices.discovery.k8s.io' ? [slice as unknown as KubeObject] : []),
    },
    tunnels: {
      count: 0,
      open: (nodeName, asked) => {
        opened.push([nodeName, asked])
        return Promise.reject(new Error('the tunnel is the test’s end'))
      },
    } satisfies Tunnels,
    integer: () => 0,
  })
  return { dialer, opened }
}

const signal = new AbortController().signal

test('an endpoint that is a pod is reached through the agent of its node, at the port of the endpoint', async () => {
  const { dialer, opened } = dialerOver([endpoint('10.0.0.8', { conditions: { ready: false } }), endpoint('10.0.0.9')])
  await expect(dialer.dial({ namespace: 'n', name: 's', port: 443 }, signal)).rejects.toThrow('the tunnel')
  expect(opened).toEqual([['node-1', { kind: 'connect', namespace: 'n', pod: 'p', uid: 'u', port: 8443 }]])
})

test('what is not there is told in the words of upstream', async () => {
  const { dialer } = dialerOver([endpoint('10.0.0.8', { conditions: { ready: false } })])
  const dial = (name: string, port: number) => dialer.dial({ namespace: 'n', name, port }, signal)
  await expect(dial('s', 443)).rejects.toThrow('no endpoints available for service "s"')
  await expect(dial('s', 444)).rejects.toThrow('no service port 444 found for service "s"')
  await expect(dial('t', 443)).rejects.toThrow('service "t" not found')
})
