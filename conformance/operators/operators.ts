// Operators whose CustomResourceDefinitions people install: where their modules keep them, and an object of each.
import type { Any } from '../src/case.ts'

export interface Operator {
  readonly module: string
  readonly version: string
  /** The folder of the definitions in the module. */
  readonly folder: string
  /** An object as its users write it. */
  readonly sample: Any
  /** A path for `kubectl explain`, and what it must say. */
  readonly explain: readonly [path: string, says: string]
}

export const operators: readonly Operator[] = [
  {
    module: 'sigs.k8s.io/gateway-api',
    version: 'v1.4.0',
    folder: 'config/crd/standard',
    sample: {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'sample' },
      spec: { parentRefs: [{ name: 'gateway' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] },
    },
    explain: ['httproute.spec.rules.backendRefs', 'port'],
  },
  {
    module: 'github.com/cert-manager/cert-manager',
    version: 'v1.18.2',
    folder: 'deploy/crds',
    sample: {
      apiVersion: 'cert-manager.io/v1',
      kind: 'Certificate',
      metadata: { name: 'sample' },
      spec: { secretName: 'tls', dnsNames: ['example.com'], issuerRef: { name: 'ca', kind: 'Issuer' } },
    },
    explain: ['certificate.spec', 'secretName'],
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.85.0',
    folder: 'example/prometheus-operator-crd',
    sample: {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'ServiceMonitor',
      metadata: { name: 'sample' },
      spec: { selector: { matchLabels: { app: 'web' } }, endpoints: [{ port: 'metrics', interval: '30s' }] },
    },
    explain: ['servicemonitor.spec.endpoints', 'interval'],
  },
  {
    module: 'github.com/argoproj/argo-cd/v3',
    version: 'v3.1.0',
    folder: 'manifests/crds',
    sample: {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name: 'sample' },
      spec: {
        project: 'default',
        source: { repoURL: 'https://example.com/repository', path: 'web', targetRevision: 'HEAD' },
        destination: { server: 'https://kubernetes.default.svc', namespace: 'default' },
      },
    },
    explain: ['application.spec.source', 'repoURL'],
  },
  {
    module: 'github.com/kedacore/keda/v2',
    version: 'v2.17.2',
    folder: 'config/crd/bases',
    sample: {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'sample' },
      spec: {
        scaleTargetRef: { name: 'web' },
        triggers: [{ type: 'cron', metadata: { timezone: 'UTC', start: '0 8 * * *', end: '0 18 * * *' } }],
      },
    },
    explain: ['scaledobject.spec', 'triggers'],
  },
  {
    module: 'github.com/argoproj/argo-rollouts',
    version: 'v1.8.3',
    folder: 'manifests/crds',
    sample: {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: 'sample' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        strategy: { canary: { steps: [{ setWeight: 20 }] } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'web', image: 'web', ports: [{ containerPort: 80 }] }] },
        },
      },
    },
    explain: ['rollout.spec.strategy', 'canary'],
  },
  {
    module: 'github.com/cloudnative-pg/cloudnative-pg',
    version: 'v1.27.0',
    folder: 'config/crd/bases',
    sample: {
      apiVersion: 'postgresql.cnpg.io/v1',
      kind: 'Cluster',
      metadata: { name: 'sample' },
      spec: { instances: 3, storage: { size: '1Gi' } },
    },
    explain: ['clusters.postgresql.cnpg.io.spec.storage', 'size'],
  },
  {
    module: 'sigs.k8s.io/cluster-api',
    version: 'v1.11.0',
    folder: 'config/crd/bases',
    sample: {
      apiVersion: 'cluster.x-k8s.io/v1beta1',
      kind: 'Cluster',
      metadata: { name: 'sample' },
      spec: {
        clusterNetwork: { pods: { cidrBlocks: ['10.0.0.0/16'] } },
        infrastructureRef: { apiVersion: 'example.com/v1', kind: 'ExampleCluster', name: 'x' },
      },
    },
    explain: ['clusters.cluster.x-k8s.io.spec.clusterNetwork', 'pods'],
  },
]
