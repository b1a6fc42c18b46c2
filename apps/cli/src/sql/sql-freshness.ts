// What "fresh" means: everything that any gateway had acknowledged when the question was asked is in SQL. The gateway
// tells the ends of its three streams by lists, which are linearizable; the projection's positions are then awaited.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import type { Reader } from '@shiplog/read-model/reader'
import type { StreamName } from '@shiplog/read-model/read-model'
import { systemClock } from '@shiplog/runtime/clock'
import { clusterFiles } from '../cluster/cluster-files.ts'

const askTimeoutMs = 5_000
const waitTimeoutMs = 30_000
const pollMs = 20

/** A list of each stream: any will do, its resourceVersion is the end of the stream. */
const listOf: Readonly<Record<StreamName, string>> = {
  events: '/api/v1/namespaces?limit=1',
  leases: '/apis/coordination.k8s.io/v1/leases?limit=1',
  objectEvents: '/api/v1/events?limit=1',
}

/** Where the streams end now, by the running cluster's word. */
export async function streamEnds(dataDir: string): Promise<ReadonlyMap<StreamName, number>> {
  const { kubeconfig, pki } = clusterFiles(dataDir)
  const server = /^ {4}server: (\S+)$/m.exec(readFileSync(kubeconfig, 'utf8'))?.[1]
  if (server === undefined) throw new Error(`${kubeconfig} names no server`)
  const ends = await Promise.all(
    (Object.entries(listOf) as [StreamName, string][]).map(
      async ([stream, path]) => [stream, await resourceVersion(`${server}${path}`, pki)] as const,
    ),
  )
  return new Map(ends)
}

/** Sequences between what was acknowledged and what SQL has, over all streams. */
export const lagOf = (ends: ReadonlyMap<StreamName, number>, positions: ReadonlyMap<StreamName, number>): number =>
  [...ends].reduce((sum, [stream, end]) => sum + Math.max(0, end - (positions.get(stream) ?? 0)), 0)

/** Waits until SQL has what was acknowledged before the call. */
export async function waitUntilFresh(dataDir: string, reader: Reader): Promise<void> {
  const ends = await streamEnds(dataDir)
  const deadline = systemClock.nowMs() + waitTimeoutMs
  for (;;) {
    const lag = lagOf(ends, await reader.positions())
    if (lag === 0) return
    if (systemClock.nowMs() > deadline)
      throw new Error(`SQL is still ${lag} events behind after ${waitTimeoutMs / 1000} s`)
    await systemClock.sleep(pollMs)
  }
}

function resourceVersion(url: string, pki: string): Promise<number> {
  const file = (name: string): Buffer => readFileSync(join(pki, name))
  return new Promise((resolve, reject) => {
    request(
      url,
      { ca: file('ca.crt'), cert: file('admin.crt'), key: file('admin.key'), timeout: askTimeoutMs, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          const sequence = Number(/"resourceVersion":"(\d+)"/.exec(text)?.[1])
          if (response.statusCode === 200 && Number.isSafeInteger(sequence)) resolve(sequence)
          else reject(new Error(`${url} answered ${response.statusCode}`))
        })
      },
    )
      .on('timeout', function (this: { destroy(error: Error): void }) {
        this.destroy(new Error(`no answer from ${url} within ${askTimeoutMs} ms`))
      })
      .on('error', reject)
      .end()
  })
}
