// The snapshot counts what the log shows and what was assumed, each pod once.
import { expect, test } from 'vitest'
import { Snapshot } from './snapshot.ts'
import { testNode, testPod } from '../testing/test-objects.ts'

const boundPod = (name: string, node: string, more = {}) => {
  const pod = testPod(name, more)
  return { ...pod, spec: { ...pod['spec'], nodeName: node } }
}

test('an assumption that the log confirms counts once and wakes no cache', () => {
  const snapshot = new Snapshot()
  snapshot.setNode(testNode('n'))
  snapshot.assume(snapshot.readPod(testPod('p')), 'n')
  expect(snapshot).toMatchObject({ assumedCount: 1, podCount: 1 })
  const before = snapshot.changeCount
  expect(snapshot.setPod(boundPod('p', 'n'))).toMatchObject({ freed: undefined, confirmed: true })
  expect(snapshot).toMatchObject({ assumedCount: 0, assumedDigest: 0, podCount: 1, changeCount: before })
  expect(snapshot.node('n')!.requestedCpu).toBe(100)
  expect(snapshot.forget('uid-p')).toBe(false)
})

test('a pod that the log shows on another node than assumed moves', () => {
  const snapshot = new Snapshot()
  for (const name of ['n', 'm']) snapshot.setNode(testNode(name))
  snapshot.assume(snapshot.readPod(testPod('p')), 'n')
  expect(snapshot.setPod(boundPod('p', 'm')).freed?.name).toBe('p')
  expect([snapshot.node('n')!.requestedCpu, snapshot.node('m')!.requestedCpu]).toEqual([0, 100])
})

test('a forgotten assumption leaves nothing behind', () => {
  const snapshot = new Snapshot()
  snapshot.setNode(testNode('n'))
  const pod = snapshot.readPod(testPod('p', { requests: { cpu: '1', memory: '1Gi', 'example.com/gpu': '2' } }))
  snapshot.assume(pod, 'n')
  expect(snapshot.node('n')!.requested('example.com/gpu')).toBe(2)
  expect(snapshot.forget(pod.uid)).toBe(true)
  const node = snapshot.node('n')!
  expect([node.requestedCpu, node.requestedMemory, node.requested('example.com/gpu'), node.nonZeroCpu]).toEqual([
    0, 0, 0, 0,
  ])
  expect(snapshot).toMatchObject({ assumedCount: 0, assumedDigest: 0, podCount: 0 })
})

test('pods of a node that is not there yet count once it comes, also after it was away', () => {
  const snapshot = new Snapshot()
  snapshot.setPod(boundPod('p', 'n'))
  snapshot.setNode(testNode('n'))
  expect(snapshot.node('n')!.requestedCpu).toBe(100)
  snapshot.removeNode('n')
  snapshot.setPod(boundPod('q', 'n'))
  snapshot.removePod('uid-p')
  snapshot.setNode(testNode('n'))
  expect(snapshot.node('n')!.requestedCpu).toBe(100)
  expect([...snapshot.node('n')!.pods.keys()]).toEqual(['uid-q'])
})

test('a node update that no decision looks at changes nothing', () => {
  const snapshot = new Snapshot()
  snapshot.setNode(testNode('n'))
  const before = snapshot.changeCount
  const heartbeat = testNode('n')
  heartbeat.status.conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:00:10Z' }]
  expect(snapshot.setNode(heartbeat).type).toBe('unchanged')
  expect(snapshot.changeCount).toBe(before)
  expect(snapshot.setNode(testNode('n', { labels: { a: 'b' } }))).toMatchObject({
    type: 'updated',
    difference: { labels: true, taints: false, allocatable: false, unschedulable: false },
  })
})

test('a bound pod that shrinks or finishes frees what it had', () => {
  const snapshot = new Snapshot()
  snapshot.setNode(testNode('n'))
  snapshot.setPod(boundPod('p', 'n', { requests: { cpu: '2' } }))
  const smaller = boundPod('p', 'n', { requests: { cpu: '1' }, metadata: { generation: 2 } })
  expect(snapshot.setPod(smaller).freed?.shape.requests.cpu).toBe(2000)
  expect(snapshot.node('n')!.requestedCpu).toBe(1000)
  expect(snapshot.setPod({ ...smaller, status: { phase: 'Failed' } }).freed?.shape.requests.cpu).toBe(1000)
  expect(snapshot.node('n')!.requestedCpu).toBe(0)
})
