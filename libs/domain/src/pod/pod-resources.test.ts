import { describe, expect, test } from 'vitest'
import { setPodResourceDefaults, validatePodResources } from './pod-resources.ts'

const container = (resources: object, more: object = {}): any => ({ name: 'main', resources, ...more })
const withDefaults = (spec: any): any => {
  const draft = structuredClone(spec)
  setPodResourceDefaults(draft)
  return draft.resources
}

describe('what a pod asks for as a whole', () => {
  test('is filled from its containers, then from its limits', () => {
    const spec = {
      containers: [container({ requests: { cpu: '100m', memory: '1Gi' } }), container({ requests: { cpu: '200m' } })],
      resources: { limits: { cpu: '1', memory: '2Gi', 'hugepages-2Mi': '4Mi' } },
    }
    expect(withDefaults(spec).requests).toEqual({ cpu: '300m', memory: '1Gi', 'hugepages-2Mi': '4Mi' })
  })

  test('counts an init container with the sidecars before it, and a sidecar beside the containers', () => {
    const sidecar = container({ requests: { cpu: '1' } }, { restartPolicy: 'Always' })
    const spec = {
      initContainers: [sidecar, container({ requests: { cpu: '5' } })],
      containers: [container({ requests: { cpu: '2' } })],
      resources: { limits: { cpu: '9' } },
    }
    expect(withDefaults(spec).requests).toEqual({ cpu: '6' })
  })

  test('stays away when nothing is said of it', () => {
    const containers = [container({ requests: { cpu: '1' } })]
    expect(withDefaults({ containers })).toBeUndefined()
    expect(withDefaults({ containers, resources: { requests: { memory: '1Gi' } } })).toEqual({
      requests: { memory: '1Gi' },
    })
  })

  test('holds what the containers ask for', () => {
    const spec = {
      containers: [container({ requests: { cpu: '2' }, limits: { cpu: '3' } })],
      resources: { requests: { cpu: '1' }, limits: { cpu: '1' } },
    }
    expect(validatePodResources(spec, 'spec.resources').map(({ field, message }) => `${field}: ${message}`)).toEqual([
      'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
      'spec.resources.containers[0][cpu].limits: Invalid value: "3": must be less than or equal to pod limits of 1',
    ])
    const windows = { ...spec, os: { name: 'windows' as const } }
    expect(validatePodResources(windows, 'spec.resources')).toHaveLength(1)
  })
})
