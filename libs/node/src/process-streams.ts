// Streams of containers that are processes of this machine: a command beside the container in its environment and
// directory, and connections to ports, which are the machine's. What a command started in the background goes on after it,
// as in a container, and ends with the container.
import type { Clock } from '@shiplog/runtime/clock'
import { RuntimeFailure } from './container-runtime.ts'
import { dial, portStream } from './dial.ts'
import { execFailure, exitOf, relay } from './exec-output.ts'
import type { ContainerStream, ExecStreamOptions, NodeStreams, PortStream, StreamTarget } from './node-streams.ts'
import { launch, type LaunchPlace } from './process-launch.ts'
import { launchOnTerminal } from './terminal-process.ts'

export interface ProcessStreamsDeps {
  readonly clock: Clock
  /** Where a running container runs, and as whom. Rejects when it does not run. */
  readonly placeOf: (containerID: string) => Promise<LaunchPlace>
  readonly attach: NodeStreams['attach']
}

export function createProcessStreams(deps: ProcessStreamsDeps): NodeStreams {
  return {
    exec: (target, options) => exec(deps, target, options),
    attach: deps.attach,
    portForward: (_podUid, port) => connectToPort(port, deps.clock),
  }
}

async function exec(
  { clock, placeOf }: ProcessStreamsDeps,
  { containerID }: StreamTarget,
  options: ExecStreamOptions,
): Promise<ContainerStream> {
  const { command, tty, stdin, stdout, stderr } = options
  const place = await placeOf(containerID).catch((error: Error) => {
    throw new RuntimeFailure('ExecFailed', error.message)
  })
  if (tty) return await launchOnTerminal({ command, place, containerID, stdin, stdout, clock })
  const pipeIf = (wanted: boolean): 'pipe' | 'ignore' => (wanted ? 'pipe' : 'ignore')
  const child = await launch(command, place, containerID, [pipeIf(stdin), pipeIf(stdout), pipeIf(stderr)])
  if (child instanceof Error) throw execFailure(command[0] ?? '', child)
  child.on('error', () => undefined)
  child.stdin?.on('error', () => undefined)
  const outputs = new Map([child.stdout, child.stderr].flatMap((from) => (from ? [[from, relay(from)] as const] : [])))
  return {
    ...(child.stdin ? { stdin: child.stdin } : {}),
    ...(child.stdout ? { stdout: outputs.get(child.stdout)! } : {}),
    ...(child.stderr ? { stderr: outputs.get(child.stderr)! } : {}),
    resize: () => undefined,
    exit: exitOf(child, [...outputs], clock),
    close() {
      child.stdin?.destroy()
      for (const [from, to] of outputs) {
        from.destroy()
        to.destroy()
      }
    },
  }
}

/** Programs of this machine listen where they like: on its loopback of either family. */
async function connectToPort(port: number, clock: Clock): Promise<PortStream> {
  const faults: string[] = []
  for (const [host, family] of [
    ['127.0.0.1', 4],
    ['::1', 6],
  ] as const) {
    const socket = await dial(host, port, clock)
    if (!(socket instanceof Error)) return portStream(socket)
    faults.push(`IPv${family}: dial tcp${family} ${family === 6 ? `[${host}]` : host}:${port}: ${socket.message}`)
  }
  throw new RuntimeFailure('PortForwardFailed', `failed to connect to localhost:${port}, ${faults.join(' ')}`)
}
