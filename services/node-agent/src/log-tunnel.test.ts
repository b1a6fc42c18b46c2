import { createMemoryBus } from '@shiplog/events/bus/memory-bus'
import { openChannel } from '@shiplog/events/bus/channel'
import { isChannelRefused } from '@shiplog/events/bus/channel-errors'
import { encodeTunnelRequest, tunnelOpenSubject, tunnelPrefix } from '@shiplog/api-client/wire/tunnel-request'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { describe, expect, test } from 'vitest'
import { attemptToShow, createLogTunnel } from './log-tunnel.ts'
import { type ContainerWork, newPodWork } from './pod-work.ts'
import { nodeTunnelsMax, serveTunnels } from './tunnels.ts'

const pod: any = {
  metadata: { name: 'web', namespace: 'default', uid: 'u-1' },
  spec: { containers: [{ name: 'main', image: 'x' }] },
}
const container = (changes: Partial<ContainerWork>): ContainerWork => ({
  ...newPodWork(pod, 0).main[0]!,
  ...changes,
})
const waiting = (reason: string) => ({ at: 'waiting', reason }) as const
const over = { at: 'terminated', exitCode: 1, reason: 'Error' } as const
const running = { at: 'running', startedAtMs: 0 } as const

describe('the attempt whose log is meant', () => {
  test.each<[string, Partial<ContainerWork>, boolean, number | string]>([
    ['the one that runs', { state: running, restartCount: 2, lastState: over }, false, 2],
    ['the one before it', { state: running, restartCount: 2, lastState: over }, true, 1],
    ['the last one, when it has ended', { state: over, restartCount: 1 }, false, 1],
    [
      'the last one, while the next waits',
      { state: waiting('CrashLoopBackOff'), restartCount: 3, lastState: over },
      false,
      3,
    ],
    ['as the previous one, too', { state: waiting('CrashLoopBackOff'), restartCount: 3, lastState: over }, true, 3],
    ['no previous one', { state: running }, true, 'previous terminated container "main" in pod "web" not found'],
    [
      'none yet',
      { state: waiting('ContainerCreating') },
      false,
      'container "main" in pod "web" is waiting to start: ContainerCreating',
    ],
    [
      'none, for want of an image',
      { state: waiting('ErrImagePull') },
      false,
      `container "main" in pod "web" is waiting to start: image can't be pulled`,
    ],
    [
      'none, for want of an image again',
      { state: waiting('ImagePullBackOff') },
      false,
      'container "main" in pod "web" is waiting to start: trying and failing to pull image',
    ],
  ])('is %s', (_what, changes, previous, expected) => {
    const found = attemptToShow(container(changes), 'web', previous)
    expect(typeof found === 'number' ? found : found.message).toBe(expected)
  })
})

describe('tunnels of an agent', () => {
  const request = (more: object = {}) =>
    encodeTunnelRequest({
      kind: 'logs',
      ...{ namespace: 'default', pod: 'web', uid: 'u-1', container: 'main' },
      options: { follow: false, previous: false, timestamps: false, stream: 'All' },
      ...more,
    })
  const bus = createMemoryBus({ clock })
  const open = (asked: object, nodeName = 'node-0') =>
    openChannel({
      ...{ bus, clock, ids },
      subject: tunnelOpenSubject(nodeName),
      prefix: tunnelPrefix(nodeName),
      request: asked as Record<string, unknown>,
      timeoutMs: 5_000,
    })
  const refusal = async (asked: object, nodeName?: string): Promise<unknown> =>
    await open(asked, nodeName).then(
      () => undefined,
      (error: unknown) => (isChannelRefused(error) ? (error.refusal as { message: string }).message : error),
    )

  test('are for pods of that node alone, by uid; simulated ones have no logs', async () => {
    const work = newPodWork(pod, 0)
    work.main[0]!.state = running
    const known = { namespace: 'default', name: 'web', uid: 'u-1', nodeName: 'node-0', work }
    const host = { version: 'simulated://1' }
    const logs = createLogTunnel({ host, clock, find: (uid) => (uid === 'u-1' ? known : undefined) })
    using _ = serveTunnels({ bus, clock, log: silentLogger, nodeNames: ['node-0', 'node-1'], handlers: { logs } })
    expect(await refusal(request())).toMatch(/is simulated \(simulated\): it prints nothing/)
    expect(await refusal(request(), 'node-1')).toBe('pods "web" not found')
    expect(await refusal(request({ uid: 'u-0' }))).toBe('pods "web" not found')
    expect(await refusal(request({ namespace: 'other' }))).toBe('pods "web" not found')
    expect(await refusal(request({ container: 'other' }))).toBe('container "other" in pod "web" is not available')
    expect(await refusal({ kind: 'exec' })).toMatch(/does not know this kind of request/)
  })

  test('are bounded', async () => {
    const logs = () => ({
      serve: async (channel: { closed: AbortSignal }) =>
        await new Promise<void>((resolve) => channel.closed.addEventListener('abort', () => resolve())),
    })
    using _ = serveTunnels({ bus, clock, log: silentLogger, nodeNames: ['node-0'], handlers: { logs } })
    const channels = await Promise.all(Array.from({ length: nodeTunnelsMax }, () => open(request())))
    expect(await refusal(request())).toMatch(/too many tunnels to node "node-0" are open/)
    for (const channel of channels) channel.close()
    await clock.sleep(50)
    const channel = await open(request())
    expect(channel.closed.aborted).toBe(false)
  })
})
