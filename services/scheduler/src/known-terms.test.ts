import { createPodReader } from '@shiplog/scheduling/snapshot/pod-info'
import { testPod } from '@shiplog/scheduling/testing/test-objects'
import { expect, test } from 'vitest'
import { KnownTerms } from './known-terms.ts'

const read = createPodReader()
const apart = (topologyKey: string) => {
  const term = { topologyKey, labelSelector: { matchLabels: { app: 'web' } } }
  return read(testPod('p', { spec: { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } } }))
}
const other = (app: string, namespace = 'default') => read(testPod('q', { metadata: { labels: { app }, namespace } }))
const noLabels = () => ({})

test('the keys of terms that were seen and select the pod; of nodes others take care', () => {
  const known = new KnownTerms()
  expect(known.keysFor(other('web'), noLabels, 0)).toEqual([])
  known.note(apart('kubernetes.io/hostname'))
  expect(known.keysFor(other('web'), noLabels, 0)).toEqual([])
  known.note(apart('zone'))
  known.note(apart('zone'))
  known.note(apart('rack'))
  expect(known.keysFor(other('web'), noLabels, 0)).toEqual(['zone', 'rack'])
  expect(known.keysFor(other('db'), noLabels, 0)).toEqual([])
  expect(known.keysFor(other('web', 'elsewhere'), noLabels, 0)).toEqual([])
})
