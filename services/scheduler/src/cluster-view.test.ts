import type { Node, Pod } from '@shiplog/api/generated/types/core-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { ObjectChange } from '@shiplog/feed/object-feed'
import { defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { createProfiles } from '@shiplog/scheduling/framework/profiles'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { expect, test } from 'vitest'
import { ClusterView } from './cluster-view.ts'

const mine = (): boolean => true

function view(): ClusterView {
  const profiles = createProfiles([defaultConfiguration])
  return new ClusterView({ profiles, nowMs: () => 0, onIncoming: () => undefined })
}

const change = (object: Node): ObjectChange => ({ object: object as KubeObject, deleted: false }) as ObjectChange

const waiting = (name: string, spec = {}): Pod => testPod(name, { spec })

test('a waiting pod of this scheduler’s name enters the queue; another’s does not', () => {
  const cluster = view()
  cluster.applyWaitingPod(waiting('p'), mine)
  cluster.applyWaitingPod(waiting('q', { schedulerName: 'other' }), mine)
  expect([...cluster.waiting.keys()]).toEqual(['uid-p'])
  expect(cluster.queue.depths().active).toBe(1)
})

test('a pod of another replica is remembered and not queued', () => {
  const cluster = view()
  cluster.applyWaitingPod(waiting('p'), () => false)
  expect(cluster.waiting.has('uid-p')).toBe(true)
  expect(cluster.queue.depths().active).toBe(0)
})

test('a bound pod leaves the queue and takes room; deleted, it frees the room for those that wait', () => {
  const cluster = view()
  cluster.applyNode(change(testNode('n', { allocatable: { pods: '1' } })))
  cluster.applyWaitingPod(waiting('p'), mine)
  const bound = testPod('p', { spec: { nodeName: 'n' } })
  cluster.applySettledPod(bound, false)
  expect(cluster.queue.depths().active).toBe(0)
  cluster.applyWaitingPod(waiting('q'), mine)
  const { pod } = cluster.queue.pop()!
  const { failure } = cluster.decide(pod)
  expect(failure?.plugins).toEqual(['NodeResourcesFit'])
  cluster.queue.fail(pod.uid, failure!.plugins)
  cluster.applySettledPod(bound, true)
  expect(cluster.queue.depths().unschedulable).toBe(0)
})

test('a pod whose node another replica filled is decided again once that is visible', () => {
  const cluster = view()
  cluster.applyWaitingPod(waiting('p'), mine)
  cluster.queue.pop()
  cluster.overtaken.set('uid-p', 12)
  cluster.advanceTo(11)
  expect(cluster.queue.depths().active).toBe(0)
  cluster.advanceTo(12)
  expect(cluster.queue.depths().active).toBe(1)
  expect(cluster.overtaken.size).toBe(0)
})

test('a pod that ends before it has a node leaves the queue', () => {
  const cluster = view()
  cluster.applyWaitingPod(waiting('p'), mine)
  cluster.applyWaitingPod(testPod('p', { metadata: { deletionTimestamp: 'now' } }), mine)
  expect(cluster.waiting.size).toBe(0)
  expect(cluster.queue.depths().active).toBe(0)
})
