import type { ObjectChange } from '@shiplog/feed/object-feed'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { expect, test } from 'vitest'
import { createBindChecker } from './testing/bind-checker.ts'
import { runSeveralSchedulers } from './testing/several-schedulers.ts'

const bindsWanted = 600

test('three schedulers on little room, killed and delayed, never overcommit a node, bind twice, put together what must be apart, or bind a part of a gang', async () => {
  const { binds, kills, gangs, overtaken, violations } = await runSeveralSchedulers(5, bindsWanted)
  expect(violations).toEqual([])
  expect(binds).toBeGreaterThanOrEqual(bindsWanted)
  expect(kills).toBeGreaterThan(0)
  expect(gangs).toBeGreaterThan(3)
  expect(overtaken).toBeGreaterThan(0)
}, 60_000)

test('the checker notices what it is there for', () => {
  const checker = createBindChecker()
  const see = (groupResource: string, object: unknown): void => checker.see({ groupResource, object, deleted: false } as ObjectChange)
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'a' } } }
  const apart = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }
  for (const name of ['n', 'm']) see('nodes', testNode(name, { allocatable: { cpu: '1', pods: '3' } }))
  see('pods', testPod('p', { requests: { cpu: '900m' }, spec: { nodeName: 'n' } }))
  expect(checker.violations).toEqual([])
  see('pods', testPod('q', { requests: { cpu: '200m' }, spec: { nodeName: 'n' } }))
  see('pods', testPod('q', { requests: { cpu: '200m' }, spec: { nodeName: 'm' } }))
  see('pods', testPod('r', { requests: {}, metadata: { labels: { app: 'a' } }, spec: { nodeName: 'm' } }))
  see('pods', testPod('s', { requests: {}, spec: { nodeName: 'm', ...apart } }))
  see('pods', testPod('g', { requests: {}, spec: { nodeName: 'm', schedulingGroup: { podGroupName: 'gang' } } }))
  checker.checkGangs(2)
  expect(checker.violations).toEqual(['n holds 1100m of 1', 'q was on n, and is on m', 's on m beside r on m', '1 of gang are bound'])
})
