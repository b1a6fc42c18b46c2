import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import { expect, test } from 'vitest'
import { revisionData, revisionHash } from './controller-revisions.ts'

interface Recorded {
  readonly template: PodTemplateSpec
  readonly revision: string
}

/** What the StatefulSet controller of an unmodified kube-controller-manager 1.36.3 made of these templates on our gateway. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../stateful-set/upstream-revisions.json'), 'utf8'),
) as Recorded[]

test("a StatefulSet's revisions have the names that upstream's controller gives them", () => {
  expect(recorded.length).toBeGreaterThan(5)
  expect(recorded.map(({ template }) => revisionHash(revisionData(template), 0))).toEqual(
    recorded.map(({ revision }) => revision),
  )
})

test('another count of collisions gives another name', () => {
  const data = revisionData(recorded[0]!.template)
  expect(revisionHash(data, 1)).not.toBe(revisionHash(data, 0))
})

test('the stored patch has the bytes that kubectl makes of the template to compare', () => {
  const template: PodTemplateSpec = { spec: { containers: [{ name: 'b', image: 'a', resources: {} }] }, metadata: { labels: { b: '1', a: '2' } } }
  expect(JSON.stringify(revisionData(template))).toBe(
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"2","b":"1"}},"spec":{"containers":[{"image":"a","name":"b","resources":{}}]}}}}',
  )
})
