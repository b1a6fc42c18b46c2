// The agent of the node whose pods are processes of this machine. Though it runs beside the gateway, it is no more than
// any agent: it speaks over the bus, as its node, so that it is asked for its rights and sees only what its pods refer to.
// Loaded only when such a node is asked for.
import { hostname } from 'node:os'
import { createBusApiClient } from '@shiplog/api-client/bus-api-client'
import { createBusFeed } from '@shiplog/api-client/bus-feed'
import type { IpRanges } from '@shiplog/api/ip-address'
import type { Bus } from '@shiplog/events/bus/bus'
import { diskBytes, type Machine } from '@shiplog/node/machine'
import { createProcessRuntime } from '@shiplog/node/process-runtime'
import { processHost } from '@shiplog/node-agent/hosts/process-host'
import { createNodeAgent, type NodeAgent } from '@shiplog/node-agent/node-agent'
import { controlPlaneNodeName, processNode, processNodeName } from '@shiplog/node-agent/node-object'
import type { Clock } from '@shiplog/runtime/clock'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { secretDirectory } from '@shiplog/runtime/secret-files'

export interface ProcessAgent {
  readonly agent: NodeAgent
  readonly nodeName: string
}

/** What agents of this machine's own nodes are made from. */
export interface MachineAgentDeps {
  /** Of the service, as kube-system shows it. */
  readonly name: string
  readonly bus: Bus
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly machine: Machine
  /** Of its nodes alone; made when it is not there. */
  readonly directory: string
  readonly podRanges: IpRanges | undefined
}

export function createProcessAgent(deps: MachineAgentDeps): ProcessAgent {
  const { bus, clock, ids, machine, directory } = deps
  secretDirectory(directory)
  const isTaken = (name: string): boolean => name === controlPlaneNodeName || /^node-\d+$/.test(name)
  const nodeName = processNodeName(hostname(), isTaken)
  const log = deps.logger.child({ component: deps.name, node: nodeName })
  const agent = createNodeAgent({
    ...{ bus, clock, ids, log },
    name: deps.name,
    feed: createBusFeed({ bus, clock, ids, log, node: nodeName }),
    client: createBusApiClient({ bus, clock, user: `system:node:${nodeName}` }),
    host: processHost(createProcessRuntime({ directory, clock, ids, log, onStop: 'end' })),
    nodes: { count: 0 },
    extraNodes: [processNode(nodeName, { ...machine, diskBytes: diskBytes(directory) }, deps.podRanges)],
  })
  return { agent, nodeName }
}
