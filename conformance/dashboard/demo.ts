// What stands in the cluster of the pictures: a shop with its usual parts, something that does not fit, something deleted.
import type { AnyObject } from './kube.ts'

export type Apply = (path: string, object: AnyObject) => Promise<unknown>

const deployment = (namespace: string, name: string, replicas: number, tier: string, cpu: string): AnyObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace, name, labels: { app: name, tier } },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name, tier } },
      spec: {
        containers: [{ name, image: `registry.example.com/${name}:1.4.2`, resources: { requests: { cpu, memory: '192Mi' } }, envFrom: [{ configMapRef: { name: 'settings' } }] }],
      },
    },
  },
})

const service = (namespace: string, name: string): AnyObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace, name },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
})

export function demoObjects(namespace: string): readonly (readonly [path: string, object: AnyObject])[] {
  const core = `/api/v1/namespaces/${namespace}`
  const apps = `/apis/apps/v1/namespaces/${namespace}`
  return [
    ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }],
    [`${core}/configmaps`, { metadata: { name: 'settings' }, data: { LOG_LEVEL: 'info', 'features.yaml': 'checkout: v2\nsearch: true\n' } }],
    [`${core}/secrets`, { metadata: { name: 'payments-key' }, stringData: { key: 'not-for-everybody' } }],
    [`${apps}/deployments`, deployment(namespace, 'storefront', 5, 'web', '400m')],
    [`${apps}/deployments`, deployment(namespace, 'checkout', 3, 'web', '600m')],
    [`${apps}/deployments`, deployment(namespace, 'search', 2, 'backend', '1')],
    [`${apps}/deployments`, deployment(namespace, 'recommendations', 4, 'backend', '800m')],
    [
      `${apps}/statefulsets`,
      { ...deployment(namespace, 'orders-db', 2, 'data', '500m'), kind: 'StatefulSet', spec: { ...deployment(namespace, 'orders-db', 2, 'data', '500m')['spec'], serviceName: 'orders-db' } },
    ],
    ...['storefront', 'checkout', 'search', 'orders-db'].map((name) => [`${core}/services`, service(namespace, name)] as const),
    [
      `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
      {
        metadata: { name: 'shop' },
        spec: { rules: [{ host: 'shop.example.com', http: { paths: ['storefront', 'checkout'].map((name) => ({ path: name === 'checkout' ? '/checkout' : '/', pathType: 'Prefix', backend: { service: { name, port: { number: 80 } } } })) } }] },
      },
    ],
    [
      `/apis/batch/v1/namespaces/${namespace}/cronjobs`,
      { metadata: { name: 'nightly-report' }, spec: { schedule: '0 3 * * *', jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'report', image: 'registry.example.com/report:3' }] } } } } } },
    ],
    [`${core}/pods`, { metadata: { name: 'model-training' }, spec: { containers: [{ name: 'train', image: 'registry.example.com/train:9', resources: { requests: { cpu: '64', memory: '512Gi' } } }] } }],
  ]
}
