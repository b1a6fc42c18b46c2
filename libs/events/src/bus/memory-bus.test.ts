import { systemClock } from '@shiplog/runtime/clock'
import { describeBusContract } from './bus.contract.ts'
import { createMemoryBus } from './memory-bus.ts'

describeBusContract('in one process', () => {
  const bus = createMemoryBus({ clock: systemClock })
  return Promise.resolve({ join: () => Promise.resolve(bus), dispose: () => bus.close() })
})
