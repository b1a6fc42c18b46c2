// What stands around workloads: disruption budgets, quotas, endpoints, autoscalers.
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Scenario } from '../scenario.ts'
import { autoscaler, budget, deployment, kubelet, pass, patch, pod, quota, remove, replicaSet, replicationController, scale, scenario, service, statefulSet, template } from './manifests.ts'

const web = { labels: { app: 'web' } }
const up = (replicas: number) => [deployment('web', { replicas }), kubelet] as const
const requests: JsonObject = { containers: [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } } }] }
const endpoints = (name: string): JsonObject => ({
  ...{ apiVersion: 'v1', kind: 'Endpoints', metadata: { name } },
  subsets: [{ addresses: [{ ip: '192.0.2.7' }], ports: [{ port: 80 }] }],
})
/** An autoscaler's next look, fifteen seconds later, and a moment more. */
const look = pass(18)

export const aroundScenarios: readonly Scenario[] = [
  scenario('budget/min-available', budget('pdb', { minAvailable: 2 }), ...up(3), { pods: { ...web, take: 1 }, become: 'unready' }, { pods: web, become: 'ready' }),
  scenario('budget/min-available-percentage', budget('pdb', { minAvailable: '50%' }), ...up(3)),
  scenario('budget/max-unavailable', ...up(4), budget('pdb', { maxUnavailable: 1 }), { evict: { ...web, take: 1 } }, kubelet),
  scenario('budget/max-unavailable-percentage', ...up(4), budget('pdb', { maxUnavailable: '30%' })),
  scenario('budget/of-nothing', budget('pdb', { minAvailable: 1 })),
  scenario('budget/of-loose-pods', pod('a', { app: 'web' }), kubelet, budget('pdb', { minAvailable: 1 })),
  scenario('budget/of-loose-pods-by-percentage', pod('a', { app: 'web' }), kubelet, budget('pdb', { minAvailable: '50%' })),
  scenario('budget/of-a-stateful-set', statefulSet('web', { replicas: 2 }), kubelet, budget('pdb', { maxUnavailable: 1 }), { evict: { name: 'web-1' } }, { pods: { name: 'web-1' }, become: 'gone' }, kubelet),
  scenario('budget/of-a-replica-set', replicaSet('web', { replicas: 2 }), kubelet, budget('pdb', { maxUnavailable: '50%' })),
  scenario('budget/of-a-replication-controller', replicationController('web', { replicas: 2 }), kubelet, budget('pdb', { maxUnavailable: 1 })),
  scenario('budget/changes', ...up(3), budget('pdb', { minAvailable: 3 }), patch('poddisruptionbudgets.policy/pdb', { spec: { minAvailable: 1 } })),
  scenario('budget/refuses', ...up(1), budget('pdb', { minAvailable: 1 }), { evict: web }),
  scenario('budget/two-of-the-same-pods', ...up(2), budget('pdb', { minAvailable: 1 }), budget('again', { minAvailable: 1 }), { evict: { ...web, take: 1 } }),
  scenario('budget/always-evicts-what-is-unready', ...up(2), { pods: { ...web, take: 1 }, become: 'unready' }, budget('pdb', { minAvailable: 2, unhealthyPodEvictionPolicy: 'AlwaysAllow' })),

  scenario('quota/counts-pods', quota('q', { pods: '3', 'count/deployments.apps': '2' }), ...up(2), scale('deployments.apps/web', 4), kubelet),
  scenario('quota/counts-what-is-there', ...up(2), quota('q', { pods: '5', secrets: '10', configmaps: '10', services: '3' })),
  scenario('quota/counts-requests', quota('q', { 'requests.cpu': '250m', 'limits.memory': '1Gi' }), deployment('web', { replicas: 3, template: template('web', 'app:1', requests) }), kubelet),
  scenario('quota/of-a-scope', quota('q', { pods: '5' }, { scopes: ['BestEffort'] }), pod('a', { app: 'a' }), pod('b', { app: 'b' }, requests)),
  scenario('quota/changes', quota('q', { pods: '1' }), deployment('web', { replicas: 2 }), patch('resourcequotas/q', { spec: { hard: { pods: '2' } } }), pass(30)),
  scenario('quota/counts-services', quota('q', { services: '2', 'services.nodeports': '1' }), service('web', { type: 'NodePort' }), service('other')),
  scenario('quota/gives-back', quota('q', { pods: '5' }), pod('a', { app: 'a' }), kubelet, remove('pods/a'), kubelet),

  scenario('endpoints/of-ready-pods', service('web'), ...up(2), { pods: { ...web, take: 1 }, become: 'unready' }, scale('deployments.apps/web', 1), kubelet),
  scenario('endpoints/also-of-unready-pods', service('web', { publishNotReadyAddresses: true }), deployment('web', { replicas: 1 }), { pods: web, become: 'unready' }),
  scenario('endpoints/of-nothing', service('web')),
  scenario('endpoints/headless', service('web', { clusterIP: 'None' }), ...up(1)),
  scenario('endpoints/named-ports', service('web', { ports: [{ name: 'http', port: 80, targetPort: 'http' }, { name: 'x', port: 81, targetPort: 9 }] }), deployment('web', { replicas: 1, template: template('web', 'app:1', { containers: [{ name: 'main', image: 'app:1', ports: [{ name: 'http', containerPort: 8080 }] }] }) }), kubelet),
  scenario('endpoints/without-selector', service('web', { selector: {} }), { create: endpoints('web') }),
  scenario('endpoints/changes', service('web'), ...up(1), patch('services/web', { spec: { ports: [{ port: 80, targetPort: 9090 }] }, metadata: { labels: { a: 'b' } } })),
  scenario('endpoints/goes', service('web'), ...up(1), remove('services/web')),
  scenario('endpoints/of-pods-that-go', service('web'), ...up(1), { removePods: web }, kubelet),
  scenario('endpoints/of-a-stateful-set', service('web', { clusterIP: 'None' }), statefulSet('web', { replicas: 2 }), kubelet),
  scenario('endpoints/external-name', service('web', { type: 'ExternalName', externalName: 'example.com', selector: { app: 'web' } })),

  scenario('autoscaler/without-target', autoscaler('hpa'), look),
  scenario('autoscaler/of-an-unknown-kind', autoscaler('hpa', { scaleTargetRef: { apiVersion: 'example.com/v1', kind: 'Thing', name: 'web' } }), look),
  scenario('autoscaler/without-metrics', ...up(1), autoscaler('hpa'), look),
  scenario('autoscaler/below-its-minimum', ...up(1), autoscaler('hpa', { minReplicas: 2 }), look),
  scenario('autoscaler/above-its-maximum', ...up(3), autoscaler('hpa', { maxReplicas: 2 }), look),
  scenario('autoscaler/off', deployment('web', { replicas: 0 }), autoscaler('hpa'), look),
  scenario('autoscaler/custom-metrics', ...up(1), autoscaler('hpa', { metrics: [{ type: 'Pods', pods: { metric: { name: 'hits' }, target: { type: 'AverageValue', averageValue: '1' } } }] }), look),
  scenario('autoscaler/external-metrics', ...up(1), autoscaler('hpa', { metrics: [{ type: 'External', external: { metric: { name: 'queue', selector: { matchLabels: { q: 'a' } } }, target: { type: 'Value', value: '1' } } }] }), look),
  scenario('autoscaler/object-metrics', ...up(1), autoscaler('hpa', { metrics: [{ type: 'Object', object: { metric: { name: 'hits' }, describedObject: { apiVersion: 'v1', kind: 'Service', name: 'web' }, target: { type: 'Value', value: '1' } } }] }), look),
  scenario('autoscaler/of-a-stateful-set', statefulSet('web', { replicas: 1 }), kubelet, autoscaler('hpa', { minReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web' } }), look),
]
