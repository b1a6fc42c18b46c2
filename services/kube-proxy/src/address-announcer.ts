// Keeps the addresses that a node answers for as they are wanted: what is there is read and compared each time, and now and
// then, so that those of an earlier life, and what somebody else did, come right.
import type { NodeAddresses } from '@shiplog/node/node-addresses'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'

const checkMs = 30_000

export interface AddressAnnouncer {
  show(addresses: readonly string[]): void
  /** The node goes on to answer: connections are there, and rules stay as well. */
  stop(): Promise<void>
}

export interface AddressAnnouncerOptions {
  readonly addresses: NodeAddresses
  readonly clock: Clock
  readonly log: Logger
}

export function createAddressAnnouncer({ addresses, clock, log }: AddressAnnouncerOptions): AddressAnnouncer {
  let wanted: readonly string[] | undefined
  let running: Promise<void> | undefined
  let isAsked = false

  async function sync(): Promise<void> {
    const target = (wanted ?? []).filter((address) => !address.includes(':'))
    const found = await addresses.list()
    for (const address of found) if (!target.includes(address)) await addresses.remove(address)
    for (const address of target) if (!found.includes(address)) await addresses.add(address)
  }

  function ask(): void {
    isAsked = true
    running ??= (async () => {
      while (isAsked) {
        isAsked = false
        await sync().catch((err: unknown) => log.warn({ err }, 'failed to take on addresses of load balancers'))
      }
      running = undefined
    })()
  }

  const timer = clock.every(checkMs, () => {
    if (wanted !== undefined) ask()
  })
  return {
    show(next) {
      if (wanted !== undefined && wanted.join() === next.join()) return
      wanted = next
      ask()
    },
    async stop() {
      timer[Symbol.dispose]()
      await running
    },
  }
}
