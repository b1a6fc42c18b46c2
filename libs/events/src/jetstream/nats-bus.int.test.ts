// The Bus on a real nats-server: the contract, and what happens when the server goes.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { describe, expect, test } from 'vitest'
import { type Bus, isNoBusAnswer } from '../bus/bus.ts'
import { describeBusContract, eventually } from '../bus/bus.contract.ts'
import { acceptChannels, openChannel } from '../bus/channel.ts'
import { openNatsBus } from './nats-bus.ts'
import { requireNatsServer } from '@shiplog/nats-server/nats-binary'
import { startNatsServer } from '@shiplog/nats-server/nats-child'

const server = await requireNatsServer()

async function openServer() {
  const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-bus-'))
  const child = await startNatsServer({ binary: server!.path, dataDir })
  const buses: Bus[] = []
  return {
    child,
    join: async () => {
      const bus = await openNatsBus({
        servers: child.url,
        credentials: child.credentials.gateway,
        clock: systemClock,
      })
      buses.push(bus)
      return bus
    },
    dispose: async () => {
      await Promise.all(buses.map((bus) => bus.close()))
      await child.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

describe('on nats-server', () => {
  describeBusContract('NATS', openServer)

  test('a server that is killed fails what waits at once, breaks channels, and both work again afterwards', async () => {
    const contract = await openServer()
    try {
      const [a, b] = [await contract.join(), await contract.join()]
      let interruptions = 0
      a.onInterrupted(() => void interruptions++)
      using _mute = b.subscribe('cmd.mute.request', () => undefined)
      using acceptor = acceptChannels({
        bus: b,
        clock: systemClock,
        subject: 'tun.n.open',
        prefix: () => 'tun.n',
        mayReply: () => true,
        accept: () => ({
          serve: async (channel) => {
            for await (const message of channel.incoming) await channel.send(message)
          },
        }),
        onFault: () => undefined,
      })
      const open = async () => {
        for (let tries = 0; ; tries++) {
          try {
            return await openChannel({
              ...{ bus: a, clock: systemClock, ids: systemIds, request: {}, timeoutMs: 5_000 },
              ...{ subject: 'tun.n.open', prefix: 'tun.n' },
            })
          } catch (error) {
            if (!isNoBusAnswer(error) || tries > 500) throw error
            await systemClock.sleep(20)
          }
        }
      }
      const channel = await open()
      const waiting = a.request('cmd.mute.request', Buffer.from('x'), { timeoutMs: 60_000 }).catch((e: unknown) => e)
      await systemClock.sleep(50)
      contract.child.kill()
      const lost = await waiting
      expect(isNoBusAnswer(lost) && lost.unheard).toBe(false)
      await eventually(() => channel.closed.aborted && interruptions === 1 && acceptor.open === 0, 'it broke')
      const again = await open()
      await again.send(Buffer.from('hello'))
      for await (const message of again.incoming) {
        expect(Buffer.from(message).toString()).toBe('hello')
        break
      }
      again.close()
    } finally {
      await contract.dispose()
    }
  })
})
