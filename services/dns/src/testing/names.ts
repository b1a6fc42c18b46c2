// A small cluster for tests of its names.
import type { KubeObject } from '@shiplog/api/kube-object'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { createDnsView, type ChangingDnsView } from '../dns-view.ts'

const change = (groupResource: string, object: unknown, deleted = false): ObjectChange => {
  const { metadata } = object as KubeObject
  const { group, resource } = splitGroupResource(groupResource)
  const { namespace = '', name } = metadata
  return { group, resource, namespace, name, groupResource, sequence: 1, timeMs: 0, type: '', deleted, object: object as KubeObject }
}

export const service = (name: string, spec: object, deleted = false): ObjectChange =>
  change('services', { metadata: { name, namespace: 'default' }, spec }, deleted)

export const slice = (owner: string, endpoints: readonly object[], ports: readonly object[], deleted = false): ObjectChange =>
  change(
    'endpointslices.discovery.k8s.io',
    {
      metadata: { name: `${owner}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': owner } },
      ...{ addressType: 'IPv4', endpoints, ports },
    },
    deleted,
  )

export const smallCluster = (): ChangingDnsView => {
  const view = createDnsView()
  const http = { name: 'http', port: 80, protocol: 'TCP' }
  for (const one of [
    change('namespaces', { metadata: { name: 'default' } }),
    service('web', { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20', 'fd00:96::14'], ports: [http, { name: 'dns', port: 53, protocol: 'UDP' }] }),
    service('db', { clusterIP: 'None', clusterIPs: ['None'], ports: [http] }),
    slice(
      'db',
      [
        { addresses: ['10.244.0.2'], hostname: 'db-0', conditions: { ready: true } },
        { addresses: ['10.244.0.3'], conditions: {} },
        { addresses: ['10.244.0.4'], conditions: { ready: false } },
      ],
      [{ name: 'http', port: 8080, protocol: 'TCP' }],
    ),
    service('out', { type: 'ExternalName', externalName: 'www.example.com' }),
    service('in', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
  ])
    view.apply(one)
  return view
}
