import { describe, expect, test } from 'vitest'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { pod } from '../testing/objects.ts'
import { existingPodWarnings, podsCheckedMax } from './existing-pods.ts'

const named = (name: string, spec: Record<string, unknown> = {}, controller?: string): Pod =>
  pod(spec, {
    metadata: {
      name,
      ...(controller
        ? {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: controller, controller: true },
            ],
          }
        : {}),
    },
  }) as KubeObject & Pod
const warned = (pods: readonly Pod[]): string[] =>
  existingPodWarnings('shop', pods, { level: 'baseline', version: Number.POSITIVE_INFINITY })
const heading = 'existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest"'

describe('pods of a namespace whose level is raised', () => {
  test('that keep to it are not told of', () => {
    expect(warned([])).toEqual([])
    expect(warned([named('a'), named('b')])).toEqual([])
  })

  test('are counted by what they violate, under the first of their names', () => {
    const pids = { hostPID: true }
    const both = { hostPID: true, hostNetwork: true, volumes: [{ name: 'v', hostPath: { path: '/' } }] }
    expect(warned([named('z', pids), named('b', both), named('ok'), named('y', pids), named('x', pids)])).toEqual([
      heading,
      'b: host namespaces, hostPath volumes',
      'x (and 2 other pods): host namespaces',
    ])
    expect(warned([named('z', pids), named('y', pids)])[1]).toBe('y (and 1 other pod): host namespaces')
  })

  test('are so many that only the first are looked at: one of each controller, then the others', () => {
    const alike = Array.from({ length: podsCheckedMax }, (_, index) => named(`alike-${index}`, {}, 'set'))
    expect(warned([...alike, named('odd', { hostIPC: true }, 'other')])).toEqual([
      `new PodSecurity enforce level only checked against the first 3000 of ${podsCheckedMax + 1} existing pods`,
      heading,
      'odd: host namespaces',
    ])
  })
})
