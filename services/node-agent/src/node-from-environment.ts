// Which kind of node an agent of its own serves: simulated, or one whose pods are processes of the machine that it runs on, or
// containers of its runtime.
import { join } from 'node:path'
import { parseIpRanges } from '@shiplog/api/ip-address'
import type { Clock } from '@shiplog/runtime/clock'
import type { Environment } from '@shiplog/runtime/environment'
import type { Ids } from '@shiplog/runtime/ids'
import type { Logger } from '@shiplog/runtime/logger'
import { secretDirectory } from '@shiplog/runtime/secret-files'
import type { ServedNode } from './cri-node-from-environment.ts'
import { processHost } from './hosts/process-host.ts'
import { simulatedHost } from './hosts/simulated-host.ts'
import { processNode, simulatedNode } from './node-object.ts'

/** Reads SHIPLOG_NODE_RUNTIME (`simulated`, the default, `process` or `cri`), SHIPLOG_POD_CIDR and, but for the first, SHIPLOG_NODE_DIR. */
export async function nodeFromEnvironment(
  env: Environment,
  name: string,
  ports: { readonly clock: Clock; readonly ids: Ids; readonly log: Logger },
): Promise<ServedNode> {
  const kind = env.optional('SHIPLOG_NODE_RUNTIME') ?? 'simulated'
  const podRanges = env.parsed('SHIPLOG_POD_CIDR', parseIpRanges)
  switch (kind) {
    case 'simulated': {
      const { createSimulatedRuntime } = await import('@shiplog/node/simulated-runtime')
      return { host: simulatedHost(createSimulatedRuntime(ports)), extraNodes: [simulatedNode(name, podRanges)] }
    }
    case 'process': {
      const { createProcessRuntime } = await import('@shiplog/node/process-runtime')
      const { diskBytes, thisMachine } = await import('@shiplog/node/machine')
      const directory = join(env.required('SHIPLOG_NODE_DIR'), name)
      secretDirectory(directory)
      // An agent that is stopped for a moment, as for a new version, must not end its pods.
      const runtime = createProcessRuntime({ ...ports, directory, onStop: 'leave' })
      return {
        host: processHost(runtime),
        extraNodes: [processNode(name, { ...thisMachine(), diskBytes: diskBytes(directory) }, podRanges)],
      }
    }
    case 'cri': {
      const { criNodeFromEnvironment } = await import('./cri-node-from-environment.ts')
      return await criNodeFromEnvironment(env, name, ports)
    }
    default:
      throw new Error(`SHIPLOG_NODE_RUNTIME is ${kind}: simulated, process or cri, please`)
  }
}
