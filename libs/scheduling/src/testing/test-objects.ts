// Small Pod and Node objects for tests of the scheduler.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'

/** A node with 4 cpu, 32Gi and 110 pods, the default of upstream's benchmark. */
export const testNode = (
  name: string,
  options: { labels?: Record<string, string>; spec?: JsonObject; allocatable?: JsonObject } = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name,
    uid: `node-${name}`,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: { 'kubernetes.io/hostname': name, ...options.labels },
  },
  spec: options.spec ?? {},
  status: { allocatable: { cpu: '4', memory: '32Gi', pods: '110', ...options.allocatable } },
})

/** A pod with one container that requests 100m and 500Mi unless told otherwise. */
export const testPod = (
  name: string,
  options: {
    requests?: JsonObject
    ports?: JsonObject[]
    spec?: JsonObject
    status?: JsonObject
    metadata?: JsonObject
  } = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...options.metadata,
  },
  spec: {
    schedulerName: 'default-scheduler',
    containers: [
      {
        name: 'c',
        image: 'pause',
        resources: { requests: options.requests ?? { cpu: '100m', memory: '500Mi' } },
        ...(options.ports ? { ports: options.ports } : {}),
      },
    ],
    ...options.spec,
  },
  status: { phase: 'Pending', ...options.status },
})
