import { expect, test } from 'vitest'
import { auditDecision, type AuditedRequest, parseAuditPolicy } from './audit-policy.ts'

const policy = (rules: string) => parseAuditPolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\n${rules}`)

const asked = (verb: string, resource: string, more: Partial<NonNullable<AuditedRequest['target']>> = {}, name = 'jane'): AuditedRequest => ({
  user: { name, groups: ['devs', 'system:authenticated'] },
  verb,
  path: `/api/v1/${resource}`,
  target: { group: '', resource, subresource: '', namespace: 'default', name: '', ...more },
})
const path = (path: string): AuditedRequest => ({ user: { name: 'jane', groups: [] }, verb: 'get', path, target: undefined })

const rules = policy(`
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: [system:kube-proxy]
- level: None
  nonResourceURLs: ['/healthz*', /version]
- level: Metadata
  resources: [{group: '', resources: [secrets, 'pods/*']}]
- level: RequestResponse
  verbs: [create, update]
  namespaces: [default]
  resources: [{group: apps, resources: [deployments], resourceNames: [web]}, {group: '', resources: ['*/status']}]
  omitStages: [ResponseStarted]
  omitManagedFields: false
- level: Request
  userGroups: [devs]
`)

test.each([
  [asked('get', 'pods', {}, 'system:kube-proxy'), 'None'],
  [path('/healthz/etcd'), 'None'],
  [path('/version'), 'None'],
  [path('/versions'), 'None'],
  [asked('get', 'secrets'), 'Metadata'],
  [asked('get', 'secrets', { group: 'other' }), 'Request'],
  [asked('create', 'pods', { subresource: 'exec', name: 'a' }), 'Metadata'],
  // Also without a subresource, as upstream has it.
  [asked('get', 'pods'), 'Metadata'],
  [asked('update', 'deployments', { group: 'apps', name: 'web' }), 'RequestResponse'],
  [asked('update', 'deployments', { group: 'apps', name: 'other' }), 'Request'],
  [asked('update', 'deployments', { group: 'apps', name: 'web', namespace: 'x' }), 'Request'],
  [asked('update', 'services', { subresource: 'status', name: 'a' }), 'RequestResponse'],
])('the first rule that matches decides (%#)', (request, level) => {
  expect(auditDecision(rules, request).level).toBe(level)
})

test('a rule adds to what is left out of the whole, and has the last word on managed fields', () => {
  const found = auditDecision(rules, asked('update', 'deployments', { group: 'apps', name: 'web' }))
  expect([...found.omitStages]).toEqual(['RequestReceived', 'ResponseStarted'])
  expect(found.omitManagedFields).toBe(false)
  expect(auditDecision(rules, asked('get', 'secrets')).omitManagedFields).toBe(true)
})

test('what is wrong with a policy is told', () => {
  expect(() => policy('rules: []')).toThrow('loaded illegal policy with 0 rules')
  expect(() => policy('rules: [{level: Some}]')).toThrow('rules[0].level: Unsupported value: "Some"')
  expect(() => policy('rules: [{level: None, nonResourceURLs: ["/a*b", x], namespaces: [a]}]')).toThrow(
    /cannot apply to both.*must be the final character.*must begin with a '\/' character/,
  )
  expect(() => parseAuditPolicy('kind: Policy')).toThrow('unknown group version')
})
