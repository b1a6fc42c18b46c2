// The manifests that the cases apply: small, ordinary objects, as people write them.
import type { Any } from './case.ts'

/** A pod of one container. */
export const pod = (name: string, more: Any = {}, metadata: Any = {}): Any => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'registry.k8s.io/pause:3.10' }],
    ...more,
  },
})

export const configMap = (name: string, data: Readonly<Record<string, string>>, metadata: Any = {}): Any => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
})

export const deployment = (name: string, replicas = 1, spec: Any = {}, container: Any = {}): Any => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: name } },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'web', image: 'nginx:1.27', ...container }],
      },
    },
    ...spec,
  },
})

export const service = (name: string, app: string, spec: Any = {}): Any => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, labels: { app } },
  spec: { selector: { app }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
})

/** An object that a finalizer holds. */
export const held = (name: string): Any => configMap(name, { a: '1' }, { finalizers: ['example.com/hold'] })
