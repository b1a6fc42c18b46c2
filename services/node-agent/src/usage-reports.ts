// Tells gateways what the pods of this agent's nodes use: one message a node and period (libs/api-client/src/wire/node-usage.ts).
// What is not heard is not said again; the next report follows soon.
import { encodeUsage, usagePeriodMs, usageSubject, type PodUsage } from '@shiplog/api-client/wire/node-usage'
import type { Bus } from '@shiplog/events/bus/bus'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import type { PodHost } from './hosts/pod-host.ts'
import type { PodEntry } from './pod-entry.ts'

/** The first report: some pods have come up by then. */
const firstReportMs = 1_000
/** Nodes whose reports are made in one turn of the event loop. */
const nodesPerTurn = 64

export interface UsageReportsDeps {
  readonly bus: Bus
  readonly host: Pick<PodHost, 'usage' | 'stats'>
  readonly clock: Clock
  readonly log: Logger
  readonly nodeNames: readonly string[]
  readonly pods: () => Iterable<PodEntry>
  readonly signal: AbortSignal
}

/** Reports until the signal aborts. */
export async function reportUsage(deps: UsageReportsDeps): Promise<void> {
  const { clock, log, signal } = deps
  for (let waitMs = firstReportMs; ; waitMs = usagePeriodMs) {
    await clock.sleep(waitMs, signal).catch(() => undefined)
    if (signal.aborted) return
    await reportOnce(deps).catch((err: unknown) => log.warn({ err }, 'use not reported'))
  }
}

async function reportOnce({ bus, host, clock, nodeNames, pods, signal }: UsageReportsDeps): Promise<void> {
  const byNode = new Map<string, PodUsage[]>(nodeNames.map((name) => [name, []]))
  const running = [...pods()]
  const used = await host.usage(running)
  // Such a host has one node: the machine's use is that node's.
  const machine = await host.stats?.machine().catch(() => undefined)
  for (const { uid, node, static: part } of running) {
    const usage = used.get(uid)
    // The API knows a static pod by its mirror.
    if (usage) byNode.get(node.name)?.push(part?.mirror ? { ...usage, uid: part.mirror.metadata.uid } : usage)
  }
  let turn = 0
  for (const [name, list] of byNode) {
    if (++turn % nodesPerTurn === 0) await clock.sleep(0)
    if (signal.aborted) return
    const report = encodeUsage({ ...(machine ? { node: machine } : {}), pods: list, atMs: clock.nowMs(), windowMs: usagePeriodMs })
    if (report.length <= bus.payloadBytesMax) bus.publish(usageSubject(name), report)
  }
}
