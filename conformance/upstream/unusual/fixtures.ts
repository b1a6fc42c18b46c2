// What the unusual requests are aimed at: a namespace of its own with one object of each sort, made before and never by
// the requests. Each request that changes something does so by dry run, or is named as one that takes its turn.
import type { Any } from '../../src/case.ts'
import type { HttpClient } from '../../src/http.ts'

export const namespace = 'unusual'
export const core = `/api/v1/namespaces/${namespace}`
export const apps = `/apis/apps/v1/namespaces/${namespace}`
export const configMaps = `${core}/configmaps`

const containers = [{ name: 'main', image: 'registry.example/app:1' }]
const template = { metadata: { labels: { app: 'web' } }, spec: { containers } }
const selector = { matchLabels: { app: 'web' } }

export const objects: readonly (readonly [path: string, object: Any])[] = [
  ['/api/v1/namespaces', { metadata: { name: namespace } }],
  [`${core}/serviceaccounts`, { metadata: { name: 'default' } }],
  [configMaps, { metadata: { name: 'a', labels: { number: '1', 'a.b/c': 'd' } }, data: { k: 'v', list: '[]' } }],
  [configMaps, { metadata: { name: 'b', labels: { number: '20' } } }],
  [configMaps, { metadata: { name: 'c' }, data: { k: 'v' } }],
  [`${core}/secrets`, { metadata: { name: 'a' }, data: { k: 'dg==' } }],
  [`${core}/pods`, { metadata: { name: 'a', labels: { app: 'web' } }, spec: { containers } }],
  [`${core}/services`, { metadata: { name: 'a' }, spec: { clusterIP: 'None', ports: [{ port: 80 }] } }],
  [`${core}/replicationcontrollers`, { metadata: { name: 'a' }, spec: { replicas: 1, selector: { app: 'rc' }, template: { ...template, metadata: { labels: { app: 'rc' } } } } }],
  [`${core}/persistentvolumeclaims`, { metadata: { name: 'a' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }],
  [`${core}/resourcequotas`, { metadata: { name: 'a' }, spec: { hard: { 'count/widgets.example.com': '5' } } }],
  [`${apps}/deployments`, { metadata: { name: 'a' }, spec: { selector, template } }],
  [`${apps}/statefulsets`, { metadata: { name: 'a' }, spec: { selector, template, serviceName: 'a' } }],
  [`${apps}/replicasets`, { metadata: { name: 'a' }, spec: { selector, template } }],
  [`${apps}/daemonsets`, { metadata: { name: 'a' }, spec: { selector, template } }],
  [`/apis/batch/v1/namespaces/${namespace}/jobs`, { metadata: { name: 'a' }, spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } }],
  [`/apis/batch/v1/namespaces/${namespace}/cronjobs`, { metadata: { name: 'a' }, spec: { schedule: '* * * * *', jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } } } }],
  [`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, { metadata: { name: 'a' }, spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'none' } } } }],
  [`/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`, { metadata: { name: 'a' }, spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' } } }],
  [`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, { metadata: { name: 'a' }, spec: { holderIdentity: 'x' } }],
  ['/api/v1/nodes', { metadata: { name: 'unusual-node' } }],
  ['/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'unusual' }, value: 7 }],
]

export async function makeObjects(http: HttpClient): Promise<void> {
  for (const [path, body] of objects) {
    const { code, text } = await http.send({ method: 'POST', path, body })
    if (code !== 201 && code !== 409) throw new Error(`${path}: ${code} ${text}`)
  }
}
