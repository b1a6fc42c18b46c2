import type { RuleWithOperations } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { builtInCatalogue } from '../catalogue/catalogue.ts'
import { hooksOf } from './hooks.ts'
import { readReview, refusalOf, reviewVersionOf } from './review.ts'
import { invokedFor, isExempt, ruleMatches, type RuledRequest } from './rules.ts'

const catalogue = builtInCatalogue()
const pods = catalogue.resource('', 'v1', 'pods')!
const nodes = catalogue.resource('', 'v1', 'nodes')!
const namespaces = catalogue.resource('', 'v1', 'namespaces')!
const rule = (more: Partial<RuleWithOperations> = {}): RuleWithOperations => ({
  ...{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] },
  ...more,
})
const request: RuledRequest = { operation: 'CREATE', subresource: '', namespace: 'n' }

describe('rules', () => {
  test.each<[Partial<RuleWithOperations>, RuledRequest, boolean]>([
    [{}, request, true],
    [{ operations: ['*'] }, { ...request, operation: 'CONNECT' as const }, true],
    [{ operations: ['UPDATE'] }, request, false],
    [{ apiGroups: ['apps'] }, request, false],
    [{ apiVersions: ['v2', '*'] }, request, true],
    [{ resources: ['*'] }, { ...request, subresource: 'status' }, false],
    [{ resources: ['*/*'] }, { ...request, subresource: 'status' }, true],
    [{ resources: ['*/*'] }, request, true],
    [{ resources: ['pods/*'] }, request, true],
    [{ resources: ['*/exec'] }, { ...request, subresource: 'exec' }, true],
    [{ resources: ['pods/log'] }, { ...request, subresource: 'exec' }, false],
    [{ scope: 'Cluster' }, request, false],
    [{ scope: 'Namespaced' }, request, true],
  ])('%j, %j: %j', (more, asked, expected) => {
    expect(ruleMatches(rule(more), pods, asked)).toBe(expected)
  })

  test('a Namespace is of the cluster, whatever it is in', () => {
    const ofNamespaces = rule({ resources: ['*'], scope: 'Cluster' })
    expect(ruleMatches(ofNamespaces, namespaces, request)).toBe(true)
    expect(ruleMatches({ ...ofNamespaces, scope: 'Namespaced' }, namespaces, request)).toBe(false)
    expect(ruleMatches(ofNamespaces, nodes, { ...request, namespace: '' })).toBe(true)
  })

  test('another version is chosen only where none names the requested one, and only where the policy allows it', () => {
    const scaler = (version: string) => catalogue.resource('autoscaling', version, 'horizontalpodautoscalers')!
    const all = () => [scaler('v1'), scaler('v2')]
    const ofScalers = (version: string) => rule({ apiGroups: ['autoscaling'], apiVersions: [version], resources: ['horizontalpodautoscalers'] })
    const chosen = (hook: Parameters<typeof invokedFor>[0]) => invokedFor(hook, scaler('v1'), all, request)?.version
    expect(chosen({ rules: [ofScalers('v2'), ofScalers('v1')] })).toBe('v1')
    expect(chosen({ rules: [ofScalers('v2')], matchPolicy: 'Equivalent' })).toBe('v2')
    expect(chosen({ rules: [ofScalers('v2')], matchPolicy: 'Exact' })).toBeUndefined()
  })

  test('what decides about others is exempt', () => {
    const group = 'admissionregistration.k8s.io'
    expect(isExempt({ group, resource: 'mutatingwebhookconfigurations' })).toBe(true)
    expect(isExempt({ group: 'example.com', resource: 'mutatingwebhookconfigurations' })).toBe(false)
  })
})

describe('answers', () => {
  const uid = 'u'
  const read = (response: unknown, mutating = true, version: 'v1' | 'v1beta1' = 'v1') =>
    readReview({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response } as never, { version, uid, mutating })

  test.each([
    [undefined, true, 'webhook response was absent'],
    [{ uid: 'v' }, true, 'expected response.uid="u", got "v"'],
    [{ uid, patch: 'W10=' }, true, 'webhook returned response.patch but not response.patchType'],
    [{ uid, patchType: 'JSONPatch' }, true, 'webhook returned response.patchType but not response.patch'],
    [{ uid, patch: 'W10=', patchType: '' }, true, 'webhook returned invalid response.patchType of ""'],
    [{ uid, patch: 'W10=', patchType: 'JSONPatch' }, false, 'validating webhook may not return response.patch'],
    [{ uid, patchType: 'JSONPatch' }, false, 'validating webhook may not return response.patchType'],
    [{ uid, allowed: 'yes' }, false, 'json: cannot unmarshal string into Go struct field AdmissionReview.response.allowed'],
  ])('%j is none: %s', (response, mutating, problem) => {
    expect(read(response, mutating)).toEqual({ problem })
  })

  test('of the old version need neither uid nor type', () => {
    expect(read({ allowed: true, patch: 'W10=' }, true, 'v1beta1')).toMatchObject({ allowed: true, patchType: 'JSONPatch' })
    expect(reviewVersionOf(['v2', 'v1beta1', 'v1'])).toBe('v1beta1')
    expect(reviewVersionOf(['v2'])).toBeUndefined()
  })

  test('a refusal is one, whatever it says of itself', () => {
    expect(refusalOf('w', undefined)).toMatchObject({ code: 400, status: 'Failure', message: 'admission webhook "w" denied the request without explanation' })
    expect(refusalOf('w', { code: 200, status: 'Success', reason: 'Gone' })).toMatchObject({ code: 400, status: 'Failure', message: 'admission webhook "w" denied the request: Gone' })
  })
})

test('webhooks of a configuration keep their order, and those of one name are told apart', () => {
  const configuration = { metadata: { name: 'c' }, webhooks: [{ name: 'b' }, { name: 'a' }, { name: 'b' }] } as unknown as KubeObject
  expect(hooksOf([configuration], 'admit').map(({ id }) => id)).toEqual(['c/b/0', 'c/a/0', 'c/b/1'])
  expect(hooksOf([configuration], 'admit')[0]).toBe(hooksOf([configuration], 'admit')[0])
})
