// The NodeStreams port: what goes in and out of a running container, or of a port of a pod, while somebody is connected.
// The streams are Node's own, with their back-pressure: who reads slowly slows down the container, and nothing piles up
// in between. Each runtime has its way to them; whoever brings a client to a node sees no difference.
import type { Duplex, Readable, Writable } from 'node:stream'

/** A container of a pod, by the id that its status shows: `containerd://<id>`. */
export interface StreamTarget {
  readonly podUid: string
  readonly containerID: string
}

/** Which streams the client wants; with `tty` standard error comes on standard output. */
export interface StreamOptions {
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}

export interface ExecStreamOptions extends StreamOptions {
  /** The program and its arguments. */
  readonly command: readonly string[]
}

/** How a command, or the wish to see a container, ended. */
export interface StreamExit {
  /** 0 when all went well; of an attached container that was only left: 0. */
  readonly exitCode: number
  /** Set when there is no exit code: the command could not be begun, or the connection to it broke. */
  readonly error?: string
}

/** A command in a container, or the container itself. */
export interface ContainerStream {
  /** Ending it is the end of the program's input, and of nothing else. Absent unless it was asked for. */
  readonly stdin?: Writable
  readonly stdout?: Readable
  /** Absent with a terminal. */
  readonly stderr?: Readable
  /** The client's window. Without a terminal nothing happens. */
  resize(columns: number, rows: number): void
  /** Resolves once, after everything that was printed can be read; never rejects. */
  readonly exit: Promise<StreamExit>
  /** The client is gone. Output that nobody reads any more is thrown away. */
  close(): void
}

/** One connection to a port of a pod. */
export interface PortStream {
  /** Bytes to and from the port; either side may be ended alone. Destroying it gives the connection up. */
  readonly data: Duplex
  /** Resolves when the connection is over: undefined, or what went wrong (nobody listens there). Never rejects. */
  readonly closed: Promise<string | undefined>
}

/** All calls reject with RuntimeFailure when the container is not there, or this kind of node cannot do it. */
export interface NodeStreams {
  exec(target: StreamTarget, options: ExecStreamOptions): Promise<ContainerStream>
  attach(target: StreamTarget, options: StreamOptions): Promise<ContainerStream>
  /** Connects to a port in the network of the pod, as a program in the pod would to `localhost`. */
  portForward(podUid: string, port: number): Promise<PortStream>
}
