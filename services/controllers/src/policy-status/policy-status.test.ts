import type { ValidatingAdmissionPolicy } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { definitionOf } from '@shiplog/domain/testing/custom-resource-definitions'
import { expect, test } from 'vitest'
import { createReconcileHarness } from '../testing/reconcile-harness.ts'
import { policyStatusReconciler } from './policy-status.reconciler.ts'

const group = 'admissionregistration.k8s.io'
const resource = 'validatingadmissionpolicies'

const rule = (apiGroup: string, version: string, resources: string[]) => ({ apiGroups: [apiGroup], apiVersions: [version], resources, operations: ['CREATE'] as 'CREATE'[] })

function statusOf(spec: JsonObject, given: JsonObject[] = []) {
  const h = createReconcileHarness([policyStatusReconciler])
  for (const body of given)
    h.cluster.must({ verb: 'create', group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', body })
  h.cluster.must({ verb: 'create', group, resource, body: { metadata: { name: 'policy' }, spec } })
  h.settle()
  expect(h.secondRun()).toEqual([])
  return (h.cluster.list(`${resource}.${group}`)[0] as ValidatingAdmissionPolicy).status
}

const spec = (validations: JsonObject[], rules = [rule('apps', 'v1', ['deployments'])], more: JsonObject = {}): JsonObject => ({
  matchConstraints: { resourceRules: rules },
  validations,
  ...more,
})

test('fields that the kind does not have are told of, with where they are', () => {
  expect(statusOf(spec([{ expression: "object.foo > 1 && object.spec.replicas > 1", messageExpression: 'object.spec.bar' + '+ ""' }]))).toEqual({
    observedGeneration: 1,
    typeChecking: {
      expressionWarnings: [
        {
          fieldRef: 'spec.validations[0].expression',
          warning:
            "apps/v1, Kind=Deployment: compilation failed: ERROR: <input>:1:7: undefined field 'foo'\n | object.foo > 1 && object.spec.replicas > 1\n | ......^\n",
        },
        {
          fieldRef: 'spec.validations[0].messageExpression',
          warning: `apps/v1, Kind=Deployment: compilation failed: ERROR: <input>:1:12: undefined field 'bar'\n | object.spec.bar+ ""\n | ...........^\n`,
        },
      ],
    },
  })
})

test('what fits the kind is not warned of', () => {
  const validations = [
    { expression: "object.spec.template.spec.containers.all(c, c.image.startsWith('a') && has(c.resources.limits))" },
    { expression: "variables.count > 1 && object.metadata.creationTimestamp < timestamp('2030-01-01T00:00:00Z')" },
    { expression: "authorizer.requestResource.check('x').allowed()" },
  ]
  const variables = [{ name: 'count', expression: 'object.spec.replicas + 1' }]
  expect(statusOf(spec(validations, undefined, { variables }))).toEqual({ observedGeneration: 1, typeChecking: {} })
})

test('each kind is checked for itself, those behind wildcards not at all', () => {
  const rules = [rule('', 'v1', ['secrets', 'configmaps', 'pods/status']), rule('*', 'v1', ['deployments'])]
  const warnings = statusOf(spec([{ expression: 'object.stringData.size() > 1' }], rules))?.typeChecking?.expressionWarnings
  expect(warnings?.map(({ warning }) => warning.split(':')[0])).toEqual(['/v1, Kind=ConfigMap'])
})

test('custom resources are checked by their schemas', () => {
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } } } as const
  const crd = definitionOf({ group: 'example.dev', kind: 'Widget', schema })
  const { status: _, metadata, ...rest } = crd
  const body = { ...rest, metadata: { name: metadata.name } } as unknown as JsonObject
  const rules = [rule('example.dev', 'v1', ['widgets'])]
  const found = statusOf(spec([{ expression: 'object.spec.size > 1 && object.metadata.labels.size() == 0' }, { expression: 'object.spec.sise > 1' }], rules), [body])
  expect(found?.typeChecking?.expressionWarnings?.map(({ fieldRef }) => fieldRef)).toEqual(['spec.validations[1].expression'])
})
