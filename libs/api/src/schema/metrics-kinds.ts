// The kinds of metrics.k8s.io beside the generated ones: upstream's API server leaves the group to an aggregated server, the
// metrics server; here the gateway answers it itself. What is measured is kept nowhere, so these kinds can only be read.
import type { Definition, ResourceInfo } from './schema.ts'

const group = 'metrics.k8s.io'
const version = 'v1beta1'
const prefix = 'io.k8s.metrics.pkg.apis.metrics.v1beta1'

const text = { type: 'string', omitZero: true } as const
const typed = { kind: text, apiVersion: text }
const objectMeta = { type: 'ref', ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', number: 1, always: true } as const
const listMeta = { type: 'ref', ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta', number: 1, always: true } as const
const quantities = { type: 'map', items: { type: 'string', format: 'quantity' }, required: true } as const
const time = { type: 'string', format: 'date-time', required: true } as const
const duration = { type: 'string', format: 'duration', required: true, goType: 'v1.Duration' } as const

const listOf = (kind: string): Definition =>
  ({
    name: `${prefix}.${kind}List`,
    fields: {
      ...typed,
      metadata: listMeta,
      items: { type: 'array', items: { type: 'ref', ref: `${prefix}.${kind}` }, required: true, number: 2 },
    },
    groupVersionKinds: [{ group, version, kind: `${kind}List` }],
  }) as unknown as Definition

const measured = (kind: string, fields: object): Definition =>
  ({
    name: `${prefix}.${kind}`,
    fields: { ...typed, metadata: objectMeta, timestamp: { ...time, number: 2 }, window: { ...duration, number: 3 }, ...fields },
    groupVersionKinds: [{ group, version, kind }],
  }) as unknown as Definition

/** Their definitions by name. */
export const metricsDefinitions: Readonly<Record<string, Definition>> = Object.fromEntries(
  [
    measured('PodMetrics', {
      containers: { type: 'array', items: { type: 'ref', ref: `${prefix}.ContainerMetrics` }, required: true, number: 4 },
    }),
    listOf('PodMetrics'),
    measured('NodeMetrics', { usage: { ...quantities, number: 4 } }),
    listOf('NodeMetrics'),
    {
      name: `${prefix}.ContainerMetrics`,
      fields: { name: { type: 'string', required: true, number: 1 }, usage: { ...quantities, number: 2 } },
    } as unknown as Definition,
  ].map((definition) => [definition.name, definition]),
)

const readOnly = (resource: string, kind: string, namespaced: boolean): ResourceInfo => ({
  ...{ group, version, resource, singular: '', kind, listKind: `${kind}List`, namespaced },
  ...{ shortNames: [], categories: [], verbs: ['get', 'list'], subresources: [] },
  ...{ definition: `${prefix}.${kind}`, storageVersion: version, storageGroup: group, stored: false },
})

export const metricsResources: readonly ResourceInfo[] = [
  readOnly('nodes', 'NodeMetrics', false),
  readOnly('pods', 'PodMetrics', true),
]
