// A node agent with real processes as a process of its own, for tests that kill it: it speaks to the API of its parent over
// the channel that Node gives to children.
//
//   node process-agent.ts <node directory>
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { FeedBatch } from '@shiplog/feed/object-feed'
import { createProcessRuntime } from '@shiplog/node/process-runtime'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { silentLogger } from '@shiplog/runtime/logger'
import { processHost } from '../hosts/process-host.ts'
import { createNodeAgent } from '../node-agent.ts'
import { processNode } from '../node-object.ts'

export type FromAgent =
  | { readonly kind: 'request'; readonly id: number; readonly request: ApiRequest }
  | { readonly kind: 'follow'; readonly id: number; readonly resources: readonly string[] }
  | { readonly kind: 'ready' }

export type ToAgent =
  | { readonly kind: 'result'; readonly id: number; readonly result: ApiResult }
  | { readonly kind: 'batch'; readonly id: number; readonly batch: FeedBatch }
  | { readonly kind: 'stop' }

export const processNodeName = 'here'

const directory = process.argv[2]
if (import.meta.main && directory !== undefined) await run(directory)

async function run(directory: string): Promise<void> {
  const waiting = new Map<number, (result: ApiResult) => void>()
  const feeds = new Map<number, { readonly batches: FeedBatch[]; wake: () => void }>()
  let serial = 0
  const send = (message: FromAgent): void => void process.send?.(message)
  process.on('message', (message: ToAgent) => {
    if (message.kind === 'result') waiting.get(message.id)?.(message.result)
    else if (message.kind === 'batch') {
      const feed = feeds.get(message.id)
      feed?.batches.push(message.batch)
      feed?.wake()
    } else void agent.stop().then(() => process.exit(0))
  })
  // A parent that is gone wants nothing any more.
  process.on('disconnect', () => process.exit(0))
  const ports = { clock: systemClock, ids: systemIds, log: silentLogger }
  const machine = {
    cpus: 2,
    memoryBytes: 2 ** 30,
    diskBytes: 2 ** 30,
    kernelVersion: '0',
    osImage: 'test',
    architecture: process.arch,
    internalIP: '127.0.0.1',
  }
  const agent = createNodeAgent({
    ...ports,
    client: {
      request: (request) =>
        new Promise((resolve) => {
          const id = ++serial
          waiting.set(id, resolve)
          send({ kind: 'request', id, request })
        }),
      recordAttempt: () => Promise.resolve(),
    },
    feed: {
      async *follow(resources, signal) {
        const id = ++serial
        const own: { batches: FeedBatch[]; wake: () => void } = { batches: [], wake: () => undefined }
        feeds.set(id, own)
        send({ kind: 'follow', id, resources })
        while (!signal.aborted) {
          const batch = own.batches.shift()
          if (batch !== undefined) yield batch
          else await new Promise<void>((resolve) => (own.wake = resolve))
        }
      },
    },
    host: processHost(createProcessRuntime({ ...ports, directory, onStop: 'end' })),
    nodes: { count: 0 },
    extraNodes: [processNode(processNodeName, machine)],
    eventObjects: false,
  })
  await agent.start()
  send({ kind: 'ready' })
}
