// Manifests for tests, with the defaults that the gateway would have filled in.
import type { JsonObject } from '@shiplog/api/kube-object'

export interface DeploymentOptions {
  readonly name?: string
  readonly replicas?: number
  readonly image?: string
  readonly spec?: JsonObject
}

export const podTemplate = (app: string, image: string): JsonObject => ({
  metadata: { labels: { app } },
  spec: {
    containers: [{ name: 'main', image, ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] }],
    restartPolicy: 'Always',
  },
})

export const deploymentManifest = ({
  name = 'web',
  replicas = 3,
  image = 'app:1',
  spec = {},
}: DeploymentOptions = {}): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: podTemplate(name, image),
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    ...spec,
  },
})

export const replicaSetManifest = (name: string, replicas: number, spec: JsonObject = {}): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: podTemplate(name, 'app:1'),
    ...spec,
  },
})

export const replicationControllerManifest = (name: string, replicas: number, spec: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ReplicationController',
  metadata: { name, namespace: 'default' },
  spec: { replicas, selector: { app: name }, template: podTemplate(name, 'app:1'), ...spec },
})

/** Requests' address parts. */
export const deployments = { group: 'apps', resource: 'deployments', namespace: 'default' } as const
export const replicaSets = { group: 'apps', resource: 'replicasets', namespace: 'default' } as const
export const replicationControllers = { group: '', resource: 'replicationcontrollers', namespace: 'default' } as const
export const pods = { group: '', resource: 'pods', namespace: 'default' } as const
