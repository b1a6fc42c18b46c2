import { defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { createProfiles } from '@shiplog/scheduling/framework/profiles'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { describe, expect, test } from 'vitest'
import { createSchedulingQueue, unschedulableFlushMs } from './scheduling-queue.ts'

function setUp() {
  let nowMs = 0
  const snapshot = new Snapshot()
  const queue = createSchedulingQueue({ profiles: createProfiles([defaultConfiguration]), nowMs: () => nowMs })
  const add = (name: string, options: Parameters<typeof testPod>[1] = {}) =>
    queue.set(snapshot.readPod(testPod(name, options)))
  return {
    queue,
    snapshot,
    add,
    pop: () => queue.pop()?.pod.name,
    pass: (ms: number) => void (nowMs += ms),
    nodeAdded: (...node: Parameters<typeof testNode>) => {
      const change = snapshot.setNode(testNode(...node))
      if (change.type === 'added') queue.wake({ type: 'NodeAdded', node: change.node })
      else if (change.type === 'updated')
        queue.wake({ type: 'NodeUpdated', node: change.node, difference: change.difference })
    },
  }
}

const big = { requests: { cpu: '8' } }

describe('the order', () => {
  test('is by priority, then by arrival', () => {
    const { queue, add, pop, pass } = setUp()
    add('first')
    pass(1)
    add('second')
    add('important', { spec: { priority: 10 } })
    add('third')
    expect([pop(), pop(), pop(), pop(), pop()]).toEqual(['important', 'first', 'second', 'third', undefined])
    expect(queue.depths()).toEqual({ active: 0, backoff: 0, unschedulable: 0, gated: 0 })
  })

  test('holds for thousands of pods of which some go', () => {
    const { queue, add } = setUp()
    for (let number = 0; number < 5000; number++) add(`p${number}`, { spec: { priority: (number * 7919) % 100 } })
    for (let number = 0; number < 5000; number += 3) queue.delete(`uid-p${number}`)
    for (let number = 0; number < 5000; number += 3) add(`q${number}`, { spec: { priority: number % 100 } })
    const priorities: number[] = []
    for (let next = queue.pop(); next; next = queue.pop()) priorities.push(next.pod.priority)
    expect(priorities).toHaveLength(5000)
    expect(priorities).toEqual(priorities.toSorted((a, b) => b - a))
  })
})

describe('back-off', () => {
  test('of an error starts at 1 s, doubles, and ends at 10 s', () => {
    const { queue, add, pop, pass } = setUp()
    add('p')
    for (const seconds of [1, 2, 4, 8, 10, 10]) {
      expect(pop()).toBe('p')
      queue.retry('uid-p')
      expect(queue.depths().backoff).toBe(1)
      pass(seconds * 1000 - 1)
      expect(pop()).toBeUndefined()
      pass(1)
    }
    expect(pop()).toBe('p')
  })

  test('of an unschedulable pod that was woken ends early when there is nothing else to do', () => {
    const { queue, add, pop, nodeAdded } = setUp()
    add('p', big)
    pop()
    queue.fail('uid-p', ['NodeResourcesFit'])
    nodeAdded('n', { allocatable: { cpu: '16' } })
    expect(queue.depths()).toMatchObject({ backoff: 1, unschedulable: 0 })
    add('other')
    expect([pop(), pop()]).toEqual(['other', 'p'])
  })
})

describe('unschedulable pods', () => {
  test('come back for events that may help, and for no others', () => {
    const { queue, snapshot, add, pop, pass, nodeAdded } = setUp()
    add('big', big)
    add('picky', { spec: { nodeSelector: { disk: 'ssd' } } })
    for (const [name, plugin] of [
      ['big', 'NodeResourcesFit'],
      ['picky', 'NodeAffinity'],
    ] as const) {
      pop()
      queue.fail(`uid-${name}`, [plugin])
    }
    pass(60_000)
    nodeAdded('small')
    expect(queue.depths()).toMatchObject({ active: 0, unschedulable: 2 })
    nodeAdded('small', { labels: { disk: 'ssd' } })
    expect(pop()).toBe('picky')
    nodeAdded('small', { labels: { disk: 'ssd' }, allocatable: { cpu: '8' } })
    expect(pop()).toBe('big')
    queue.fail('uid-big', ['NodeResourcesFit'])
    queue.fail('uid-picky', ['NodeAffinity'])
    pass(60_000)
    queue.wake({ type: 'PodFreed', pod: snapshot.readPod(testPod('gone')) })
    expect([pop(), pop()]).toEqual(['big', undefined])
  })

  test('that failed for want of any node come back with the first one', () => {
    const { queue, add, pop, nodeAdded } = setUp()
    add('p', big)
    pop()
    queue.fail('uid-p', [])
    nodeAdded('small')
    expect(pop()).toBe('p')
  })

  test('come back after five minutes in any case', () => {
    const { queue, add, pop, pass } = setUp()
    add('p', big)
    pop()
    queue.fail('uid-p', ['NodeResourcesFit'])
    pass(unschedulableFlushMs - 1)
    queue.flush()
    expect(pop()).toBeUndefined()
    pass(1)
    queue.flush()
    expect(pop()).toBe('p')
  })

  test('come back when their own specification changes, and not when something else does', () => {
    const { queue, add, pop, pass } = setUp()
    add('p', big)
    pop()
    queue.fail('uid-p', ['NodeResourcesFit'])
    pass(60_000)
    add('p', { ...big, status: { conditions: [] } })
    expect(queue.depths().unschedulable).toBe(1)
    add('p', { requests: { cpu: '1' } })
    expect(pop()).toBe('p')
  })
})

test('a gated pod waits until its last gate is gone', () => {
  const { queue, add, pop } = setUp()
  add('p', { spec: { schedulingGates: [{ name: 'a' }, { name: 'b' }] } })
  expect(queue.depths().gated).toBe(1)
  add('p', { spec: { schedulingGates: [{ name: 'b' }] } })
  expect(pop()).toBeUndefined()
  add('p', { spec: { schedulingGates: [] } })
  expect(pop()).toBe('p')
})

test('a pod that is deleted is gone from wherever it was', () => {
  const { queue, add, pop } = setUp()
  add('active')
  add('gated', { spec: { schedulingGates: [{ name: 'a' }] } })
  add('failed', { spec: { priority: 1 } })
  pop()
  queue.fail('uid-failed', ['NodeResourcesFit'])
  for (const name of ['active', 'gated', 'failed']) queue.delete(`uid-${name}`)
  expect(queue.depths()).toEqual({ active: 0, backoff: 0, unschedulable: 0, gated: 0 })
  expect(pop()).toBeUndefined()
})
