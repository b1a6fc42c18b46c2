import { expect, test } from 'vitest'
import type { HostedPod } from '../pod-host.ts'
import { newPodWork } from '../../pod-work.ts'
import { createContainerResizer } from './container-resizer.ts'

const podWith = (resources: object, resizePolicy: object[] = []): any => ({
  metadata: { name: 'p', namespace: 'default', uid: 'u' },
  spec: { terminationGracePeriodSeconds: 5, containers: [{ name: 'main', image: 'x', resources, resizePolicy }] },
})

function world(resources: object, resizePolicy: object[] = []) {
  const calls: unknown[] = []
  const resizer = createContainerResizer({
    update: async (id, wanted) => void calls.push(['update', id, wanted]),
    stop: (uid, id, graceMs) => void calls.push(['stop', uid, id, graceMs]),
    onFault: (error) => void calls.push(error),
  })
  const pod = podWith(resources, resizePolicy)
  const work = newPodWork(pod, 0)
  Object.assign(work.main[0]!, { containerID: 'c://1', state: { at: 'running', startedAtMs: 0 } })
  const hosted = (changed: object): HostedPod => ({ uid: 'u', node: {} as HostedPod['node'], pod: podWith(changed, resizePolicy), work })
  resizer.started('c://1', { resources: resources as never })
  return { calls, resizer, hosted }
}

const cpu = (limit: string, request = limit) => ({ limits: { cpu: limit, memory: '64Mi' }, requests: { cpu: request } })

test('what changed is told to the runtime once', () => {
  const { calls, resizer, hosted } = world(cpu('100m'))
  resizer.podChanged(hosted(cpu('100m')))
  expect(calls).toEqual([])
  resizer.podChanged(hosted(cpu('200m')))
  resizer.podChanged(hosted(cpu('200m')))
  expect(calls).toEqual([
    ['update', 'c://1', { cpuShares: 204, cpuPeriod: 100_000, cpuQuota: 20_000, memoryLimitInBytes: 64 << 20 }],
  ])
})

test('a limit that is gone is taken away', () => {
  const { calls, resizer, hosted } = world(cpu('100m'))
  resizer.podChanged(hosted({ requests: { cpu: '100m' } }))
  expect(calls).toEqual([['update', 'c://1', expect.objectContaining({ cpuQuota: -1, memoryLimitInBytes: 0 })]])
})

test('a container whose policy wants that is stopped instead, with its grace', () => {
  const policy = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }, { resourceName: 'memory', restartPolicy: 'NotRequired' }]
  const { calls, resizer, hosted } = world(cpu('100m'), policy)
  resizer.podChanged(hosted({ limits: { cpu: '100m', memory: '65Mi' }, requests: { cpu: '100m' } }))
  resizer.podChanged(hosted({ limits: { cpu: '300m', memory: '65Mi' }, requests: { cpu: '100m' } }))
  expect(calls.map((call) => (call as string[])[0])).toEqual(['update', 'stop'])
  expect(calls[1]).toEqual(['stop', 'u', 'c://1', 5_000])
})
