import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { bootstrapRoles } from '../bootstrap-roles.ts'
import { upkeepOf } from './default-roles.ts'
import { uncovered } from './rule-coverage.ts'

const named = (kind: string, name: string): JsonObject =>
  bootstrapRoles().find((object) => object['kind'] === kind && object['metadata'].name === name)!
/** As it was made, then changed. */
const known = (wanted: JsonObject, more: JsonObject = {}, metadata: JsonObject = {}): KubeObject =>
  ({ ...wanted, ...more, metadata: { ...wanted['metadata'], uid: 'u', ...metadata } }) as KubeObject
const updated = (object: KubeObject, wanted: JsonObject): KubeObject | undefined => {
  const upkeep = upkeepOf(object, wanted)
  return upkeep && 'update' in upkeep ? upkeep.update : undefined
}

describe('at a start', () => {
  const role = named('ClusterRole', 'system:kube-dns')
  const [rule] = role['rules'] as [JsonObject]
  const own = { verbs: ['get'], apiGroups: [''], resources: ['secrets'] }

  test('nothing is done with what is as it was made', () => {
    for (const object of bootstrapRoles()) expect(upkeepOf(known(object), object)).toBeUndefined()
  })

  test('a rule that somebody took away comes back, and one that somebody added stays', () => {
    expect(updated(known(role, { rules: [own] }), role)!['rules']).toEqual([own, rule])
    expect(updated(known(role, { rules: [rule, own] }), role)).toBeUndefined()
  })

  test('a rule that others cover is not added', () => {
    const wide = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }
    expect(updated(known(role, { rules: [wide] }), role)).toBeUndefined()
  })

  test('what is marked not to be updated stays as it is', () => {
    const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' }
    expect(upkeepOf(known(role, { rules: [] }, { annotations }), role)).toBeUndefined()
  })

  test('labels come back, others stay', () => {
    const { labels } = updated(known(role, {}, { labels: { mine: 'x' } }), role)!.metadata
    expect(labels).toEqual({ mine: 'x', 'kubernetes.io/bootstrapping': 'rbac-defaults' })
  })

  test('the rules of an aggregated role are the aggregation\'s', () => {
    const view = named('ClusterRole', 'view')
    expect(upkeepOf(known(view, { rules: [own] }), view)).toBeUndefined()
    const other = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] }
    expect(updated(known(view, { aggregationRule: other }), view)!['aggregationRule'].clusterRoleSelectors).toHaveLength(2)
  })

  test('subjects come back, others stay, and a binding of another role is made anew', () => {
    const binding = named('ClusterRoleBinding', 'system:discovery')
    const eve = { kind: 'User', name: 'eve', apiGroup: 'rbac.authorization.k8s.io' }
    expect(updated(known(binding, { subjects: [eve] }), binding)!['subjects']).toEqual([eve, ...binding['subjects']])
    expect(updated(known(binding, { subjects: undefined }), binding)!['subjects']).toEqual(binding['subjects'])
    const roleRef = { ...binding['roleRef'], name: 'view' }
    expect(upkeepOf(known(binding, { roleRef }), binding)).toEqual({ recreate: true })
  })
})

test('coverage: a verb on a thing is covered by who holds it, and by nobody else', () => {
  const rule = (verbs: string[], resources: string[], resourceNames?: string[]) => ({
    ...{ verbs, apiGroups: ['apps'], resources },
    ...(resourceNames ? { resourceNames } : {}),
  })
  const held = [rule(['get', 'list'], ['deployments']), rule(['update'], ['*/scale']), rule(['delete'], ['deployments'], ['a'])]
  expect(uncovered(held, [rule(['get'], ['deployments'], ['x'])])).toEqual([])
  expect(uncovered(held, [rule(['update'], ['deployments/scale'])])).toEqual([])
  expect(uncovered(held, [rule(['delete'], ['deployments'], ['a'])])).toEqual([])
  expect(uncovered(held, [rule(['delete', 'get'], ['deployments'])])).toEqual([
    '{APIGroups:["apps"], Resources:["deployments"], Verbs:["delete"]}',
  ])
  expect(uncovered(held, [rule(['*'], ['deployments'])])).toHaveLength(1)
  expect(uncovered(held, [{ verbs: ['get'], nonResourceURLs: ['/x'] }])).toEqual(['{NonResourceURLs:["/x"], Verbs:["get"]}'])
})
