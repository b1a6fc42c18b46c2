// Verb × resource × subresource × identity, against an oracle that knows no index and no authorizer, while roles, bindings
// and pods come and go; and against what upstream's API server has answered.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PolicyRule, RoleRef, Subject } from '@shiplog/api/generated/types/rbac-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import { nodeRules } from '@shiplog/domain/bootstrap-roles'
import type { User } from '@shiplog/domain/strategy'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  identities,
  type PathQuestion,
  pathQuestions,
  type Question,
  questions,
  upstreamQuestions,
  worldObjects,
} from '../testing/authorization-world.ts'
import { createFakeTables, type FakeTables, tableOf } from '../testing/fake-tables.ts'
import { createNodeGraph } from './node-graph.ts'
import { type Authorizer, createAuthorizer } from './rbac-authorizer.ts'
import { createRbacIndex } from './rbac-index.ts'
import { selectorsOf } from './selectors.ts'

let tables: FakeTables
let indexed: Authorizer
let scanned: Authorizer

beforeEach(async () => {
  tables = createFakeTables(worldObjects())
  const graph = createNodeGraph(tables.projection)
  await graph.ready()
  indexed = createAuthorizer(tables.view, { graph, grants: createRbacIndex(tables.projection) })
  scanned = createAuthorizer(tables.view)
})

const isPath = (question: Question | PathQuestion): question is PathQuestion => 'path' in question

function answer(authorizer: Authorizer, question: Question | PathQuestion): boolean {
  if (isPath(question)) return authorizer.allowsPath(question.user, question.verb, question.path)
  const query = new URLSearchParams(question.fieldSelector ? { fieldSelector: question.fieldSelector } : {})
  return authorizer.allows({ ...question, selectors: selectorsOf(question.verb, query) })
}

// ── the oracle: everything by a plain look at all objects ─────────────────────────────────────────────────────────

const list = (view: AdmissionView, resource: string): readonly KubeObject[] =>
  view.list(resource.includes('role') ? `${resource}.rbac.authorization.k8s.io` : resource)

function heldRules(view: AdmissionView, user: User, namespace: string): PolicyRule[] {
  const bindings = [
    ...list(view, 'clusterrolebindings'),
    ...list(view, 'rolebindings').filter(({ metadata }) => metadata.namespace === namespace),
  ]
  return bindings.flatMap((binding) => {
    const meant = ((binding['subjects'] ?? []) as Subject[]).some(({ kind, name, namespace: home }) => {
      if (kind === 'Group') return user.groups.includes(name)
      return user.name === (kind === 'User' ? name : `system:serviceaccount:${home}:${name}`)
    })
    if (!meant) return []
    const { kind, name } = binding['roleRef'] as RoleRef
    const roles = kind === 'ClusterRole' ? list(view, 'clusterroles') : list(view, 'roles')
    const role = roles.find(
      ({ metadata }) => metadata.name === name && (kind === 'ClusterRole' || metadata.namespace === namespace),
    )
    return (role?.['rules'] ?? []) as PolicyRule[]
  })
}

const among = (values: readonly string[] | undefined, ...wanted: string[]): boolean =>
  ['*', ...wanted].some((each) => values?.includes(each))

const grants = (rule: PolicyRule, { verb, group, resource, subresource, name }: Question): boolean =>
  among(rule.verbs, verb) &&
  among(rule.apiGroups, group) &&
  (subresource ? among(rule.resources, `${resource}/${subresource}`, `*/${subresource}`) : among(rule.resources, resource)) &&
  (!rule.resourceNames?.length || rule.resourceNames.includes(name))

/** What the two nodes of this world may do with what they have to do with: `<verbs> <resource> <namespace> <name>`. */
const ofNodes: Readonly<Record<string, readonly string[]>> = {
  n1: [
    'get,list,watch secrets team-a s1',
    'get,list,watch secrets team-b s3',
    'get,list,watch secrets team-b s4',
    'get,list,watch configmaps team-a c1',
    'get persistentvolumeclaims team-a claim1',
    'update,patch persistentvolumeclaims/status team-a claim1',
    'get persistentvolumes * pv1',
    'get,create-token serviceaccounts team-a builder',
    'get,create-token serviceaccounts team-b default',
    'get,list,watch pods team-a p1',
    'get,list,watch pods team-b p3',
  ],
  n2: [
    'get,list,watch secrets team-a s2',
    'get,create-token serviceaccounts team-a default',
    'get,list,watch pods team-a p2',
  ],
}
const divided = new Set(
  'secrets configmaps persistentvolumeclaims persistentvolumes resourceclaims volumeattachments serviceaccounts leases csinodes resourceslices nodes pods'.split(
    ' ',
  ),
)

function nodeMay(node: string, question: Question): boolean {
  const { verb, resource, subresource, namespace, name, fieldSelector = '' } = question
  if (!divided.has(resource)) return nodeRules().some((rule) => grants(rule, question))
  const full = subresource ? `${resource}/${subresource}` : resource
  const writes = ['update', 'patch']
  const ofOne = ['get', 'create', 'delete', ...writes]
  if (full === 'leases') return namespace === 'kube-node-lease' && ofOne.includes(verb) && (verb === 'create' || name === node)
  if (full === 'csinodes') return ofOne.includes(verb) && (verb === 'create' || name === node)
  if (full === 'nodes') return ['create', ...writes].includes(verb) || (['get', 'list', 'watch'].includes(verb) && name === node)
  if (full === 'nodes/status' || full === 'pods/status') return writes.includes(verb)
  if (full === 'pods/eviction') return verb === 'create'
  const selects = fieldSelector.split(',').includes(`spec.nodeName=${node}`)
  if (full === 'resourceslices') return verb === 'create' || (['list', 'watch', 'deletecollection'].includes(verb) && selects)
  if (full === 'pods' && (['create', 'delete'].includes(verb) || (['list', 'watch'].includes(verb) && selects))) return true
  return ofNodes[node]!.some((line) => {
    const [does, what, home, which] = line.split(' ') as [string, string, string, string]
    const asked = full === 'serviceaccounts/token' ? 'serviceaccounts' : full
    const needed = full === 'serviceaccounts/token' ? `${verb}-token` : verb
    return does.split(',').includes(needed) && what === asked && name === which && (home === '*' || home === namespace)
  })
}

function oracle(view: AdmissionView, question: Question | PathQuestion): boolean {
  const { user } = question
  if (user.groups.includes('system:masters')) return true
  if (isPath(question)) {
    const { verb, path } = question
    const matches = (url: string): boolean => (url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : url === path)
    return heldRules(view, user, '').some((rule) => among(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some(matches))
  }
  const node = /^system:node:(.+)$/.exec(user.name)?.[1]
  if (node !== undefined && nodeMay(node, question)) return true
  return heldRules(view, user, question.namespace).some((rule) => grants(rule, question))
}

// ── the comparison ────────────────────────────────────────────────────────────────────────────────────────────────

const said = (question: Question | PathQuestion): string =>
  Object.entries({ ...question, user: question.user.name })
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')

function differences(asked: Iterable<Question | PathQuestion>, view: AdmissionView): { count: number; differ: string[] } {
  let count = 0
  const differ: string[] = []
  const held = new Map<string, PolicyRule[]>()
  // The oracle looks at everything anew, but for rules that it has just looked up.
  const remembering = (question: Question | PathQuestion): boolean => {
    if (isPath(question) || /^(root|system:node:)/.test(question.user.name)) return oracle(view, question)
    const key = `${question.user.name} ${question.namespace}`
    if (!held.has(key)) held.set(key, heldRules(view, question.user, question.namespace))
    return held.get(key)!.some((rule) => grants(rule, question))
  }
  for (const question of asked) {
    count++
    const wanted = remembering(question)
    if (answer(indexed, question) !== wanted) differ.push(`${said(question)} is ${wanted ? 'allowed' : 'refused'}`)
  }
  return { count, differ }
}

describe('the authorization matrix', () => {
  test('decides as the oracle, 20,000 times and more', () => {
    expect(identities.length).toBeGreaterThanOrEqual(12)
    const { count, differ } = differences([...questions(), ...pathQuestions()], tables.view)
    expect(count).toBeGreaterThan(20_000)
    expect(differ).toEqual([])
  })

  test('by the index as by a look at all bindings', () => {
    let index = 0
    for (const question of questions()) {
      if (index++ % 23 > 0) continue
      expect([said(question), answer(indexed, question)]).toEqual([said(question), answer(scanned, question)])
    }
  })

  test.each([1, 2, 3])('still, after roles and bindings have come, changed and gone (seed %i)', (seed) => {
    const { pick, chance } = seededRandom(seed)
    const kinds = ['clusterroles', 'roles', 'clusterrolebindings', 'rolebindings'].map((each) => `${each}.rbac.authorization.k8s.io`)
    const all = [...questions()]
    for (let round = 0; round < 40; round++) {
      for (let change = 0; change < 5; change++) {
        const table = pick(kinds)
        const objects = tables.view.list(table)
        if (objects.length === 0) continue
        const kept = structuredClone(pick(objects))
        if (chance(0.3)) tables.remove(kept)
        else if (table.includes('binding')) {
          const group = { kind: 'Group', name: pick(pick(identities).groups) }
          tables.put({ ...kept, subjects: [{ kind: 'User', name: pick(identities).name }, group] })
        } else tables.put({ ...kept, rules: ((pick(objects)['rules'] ?? []) as PolicyRule[]).slice(0, 3) })
      }
      const some = Array.from({ length: 150 }, () => pick(all)).filter(({ user }) => !user.name.startsWith('system:node:'))
      expect(differences(some, tables.view).differ).toEqual([])
    }
  })

  test('decides as upstream has, 2,000 times', () => {
    const file = join(import.meta.dirname, '../testing/authorization-answers.json')
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as { asked: string; allowed: string }
    const asked = upstreamQuestions()
    expect(asked.length).toBe(2_000)
    const digest = createHash('sha256').update(JSON.stringify(asked)).digest('hex')
    expect(digest, 'the questions are others than were recorded: conformance/upstream/authorization.ts').toBe(recorded.asked)
    const differ = asked
      .map((question, index) => ({ question, upstream: recorded.allowed[index] === '1' }))
      .filter(({ question, upstream }) => answer(indexed, question) !== upstream)
      .map(({ question, upstream }) => `${said(question)}: upstream ${upstream ? 'allows' : 'refuses'}`)
    expect(differ).toEqual([])
  })
})

test('a graph that is still being read decides by a look at the pods', () => {
  const young = createAuthorizer(tables.view, { graph: createNodeGraph(tables.projection) })
  const differ = [...questions()].filter(
    (question) => question.user.name.startsWith('system:node:') && answer(young, question) !== answer(indexed, question),
  )
  expect(differ.map(said)).toEqual([])
})

test('what 5,000 bindings of others cost a request is nothing', () => {
  const subjects = (index: number): Subject[] => [{ kind: 'User', name: `user-${index}` }]
  for (let index = 0; index < 5_000; index++) {
    tables.put({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: `many-${index}` },
      subjects: subjects(index),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    } as unknown as KubeObject)
  }
  const index = createRbacIndex(tables.projection)
  const bob = identities.find(({ name }) => name === 'bob')!
  expect(index.size).toBeGreaterThan(5_000)
  expect([...index.grantsOf(bob, 'team-a')].length).toBeLessThan(5)
  expect([...index.grantsOf({ name: 'user-4999', groups: [] }, '')].map(({ binding }) => binding.metadata.name)).toEqual(['many-4999'])
  expect(tableOf(tables, 'clusterrolebindings.rbac.authorization.k8s.io').current.size).toBeGreaterThan(5_000)
})
