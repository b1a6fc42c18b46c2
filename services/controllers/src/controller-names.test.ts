import { describe, expect, test } from 'vitest'
import { choiceProblem, isChosen, upstreamNameOf } from './controller-names.ts'
import { createReconcilers } from './controller-manager.ts'

const names = createReconcilers({ rootCa: 'CA' }).map(({ name }) => name)
const chosen = (...choice: string[]): string[] => names.filter((name) => isChosen(name, choice)).map(upstreamNameOf)

describe('controllers are chosen', () => {
  test('all of them by *, one less by its name with a dash, and single ones by name', () => {
    expect(chosen('*')).toHaveLength(names.length)
    expect(chosen('*', '-job-controller')).toEqual(chosen('*').filter((name) => name !== 'job-controller'))
    expect(chosen('deployment-controller', 'cronjob-controller').sort()).toEqual([
      'cronjob-controller',
      'deployment-controller',
    ])
    expect(chosen('*', '-job-controller', 'job-controller')).toContain('job-controller')
  })

  test('by names that exist, upstream or here', () => {
    expect(choiceProblem(['*', '-job-controller', '-node-ipam-controller'], names)).toBeUndefined()
    expect(choiceProblem(['*', '-jobs'], names)).toBe('"jobs" is not in the list of known controllers')
    expect(choiceProblem(['node-ipam-controller'], names)).toBe('"node-ipam-controller" does not exist here yet')
  })

  test('by upstream’s names, whatever their queues are called', () => {
    const upstream = ['horizontal-pod-autoscaler', 'service-cidr', 'taint-eviction', 'ttl', 'volumeattributesclass-protection']
    const wanted = upstream.map((name) => `${name}-controller`)
    expect(chosen(...wanted).sort()).toEqual(wanted)
  })

  test('each by a name of its own', () => {
    expect(new Set(names.map(upstreamNameOf)).size).toBe(names.length)
  })
})
