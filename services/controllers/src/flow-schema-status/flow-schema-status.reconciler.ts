// Says of each FlowSchema whether the priority level that it names is there (condition Dangling), as upstream's API server does.
import type { FlowSchema } from '@shiplog/api/generated/types/flowcontrol-v1'
import { forResource, type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView, viewIndex } from '@shiplog/reconcile/view'
import { findCondition, setCondition, type StoredCondition } from '../shared/conditions.ts'

const group = 'flowcontrol.apiserver.k8s.io'
const schemas = 'flowschemas.flowcontrol.apiserver.k8s.io'
const levels = 'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io'

const levelOf = ({ spec }: FlowSchema): string => spec.priorityLevelConfiguration.name
const byLevel = viewIndex(schemas, 'flow schemas by priority level', (schema) => [levelOf(schema)])

export const flowSchemaStatusReconciler: Reconciler = {
  name: 'flowschema-status',
  component: 'flowschema-status-controller',
  indexes: [byLevel],
  resources: [
    forResource(schemas),
    watchesResource(levels, ({ name }, _before, view) => [...view.byIndex(byLevel, name)].map((schema) => keyOfObject(schema))),
  ],
  reconcile(key, view, { nowMs }) {
    const schema = view.get(schemas, key)
    if (!schema) return settled
    const wanted = danglingOf(schema, view)
    const before = (schema.status?.conditions ?? []) as readonly StoredCondition[]
    const found = findCondition(before, 'Dangling')
    if (found?.status === wanted.status && found.message === wanted.message) return settled
    const body = { ...schema, status: { ...schema.status, conditions: setCondition(before, wanted, nowMs) } }
    return { commands: [{ request: { verb: 'update', group, resource: 'flowschemas', subresource: 'status', name: schema.metadata.name, body } }] }
  },
}

function danglingOf(schema: FlowSchema, view: ObjectView) {
  const name = levelOf(schema)
  const start = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(name)}`
  return view.get(levels, `/${name}`)
    ? { type: 'Dangling', status: 'False' as const, reason: 'Found', message: `${start} and it exists` }
    : { type: 'Dangling', status: 'True' as const, reason: 'NotFound', message: `${start} but there is no such object` }
}
