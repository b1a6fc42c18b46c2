// A client of a container runtime over CRI v1: calls with deadlines, and the stream of container events. gRPC is known to
// this file alone.
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { Clock } from '@shiplog/runtime/clock'
import type {
  ContainerStatsMessage,
  ContainerConfigMessage,
  ContainerEventMessage,
  ContainerStatusMessage,
  FilesystemUsageMessage,
  ImageMessage,
  LinuxResourcesMessage,
  ListedContainer,
  ListedSandbox,
  SandboxConfigMessage,
  SandboxStatusMessage,
} from './cri-messages.ts'

/** Time for what changes nothing much, as the kubelet's. */
const callTimeoutMs = 120_000
const pullTimeoutMs = 1_800_000
const messageBytesMax = 64 << 20
/** How long a broken connection waits at most before the next try. */
const reconnectMsMax = 2_000

/** What went wrong at the runtime; `code` is gRPC's: 5 is "not found". */
export interface CriFault extends Error {
  readonly code: number
  readonly details: string
}

export const notFoundCode = grpc.status.NOT_FOUND
export const isCriFault = (error: unknown): error is CriFault =>
  error instanceof Error && typeof (error as Partial<CriFault>).code === 'number' && 'details' in error
export const isNotFound = (error: unknown): boolean => isCriFault(error) && error.code === notFoundCode
/** The runtime's own words. */
export const criMessage = (error: unknown): string =>
  isCriFault(error) ? error.details : error instanceof Error ? error.message : String(error)

export interface RegistryCredentials {
  readonly username?: string
  readonly password?: string
  readonly auth?: string
  readonly identityToken?: string
  readonly registryToken?: string
}

export type Labels = Readonly<Record<string, string>>

export interface CriClient {
  version(): Promise<{ readonly runtimeName: string; readonly runtimeVersion: string }>
  /** Conditions of the runtime: RuntimeReady, NetworkReady. */
  status(): Promise<readonly { readonly type: string; readonly status: boolean; readonly message: string }[]>
  runPodSandbox(config: SandboxConfigMessage, runtimeHandler: string): Promise<string>
  stopPodSandbox(id: string): Promise<void>
  removePodSandbox(id: string): Promise<void>
  podSandboxStatus(id: string): Promise<SandboxStatusMessage>
  listPodSandboxes(labels?: Labels): Promise<readonly ListedSandbox[]>
  createContainer(sandboxId: string, config: ContainerConfigMessage, sandbox: SandboxConfigMessage): Promise<string>
  startContainer(id: string): Promise<void>
  stopContainer(id: string, graceSeconds: number): Promise<void>
  removeContainer(id: string): Promise<void>
  listContainers(labels?: Labels): Promise<readonly ListedContainer[]>
  containerStatus(id: string): Promise<ContainerStatusMessage>
  updateContainerResources(id: string, resources: LinuxResourcesMessage): Promise<void>
  reopenContainerLog(id: string): Promise<void>
  execSync(
    id: string,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ readonly stdout: Buffer; readonly stderr: Buffer; readonly exitCode: number }>
  execUrl(id: string, command: readonly string[], streams: StreamWishes): Promise<string>
  attachUrl(id: string, streams: StreamWishes): Promise<string>
  portForwardUrl(sandboxId: string, port: number): Promise<string>
  containerStats(labels?: Labels): Promise<readonly ContainerStatsMessage[]>
  /** Runs until the signal, or until the stream breaks: then it rejects. */
  events(onEvent: (event: ContainerEventMessage) => void, signal: AbortSignal): Promise<void>

  listImages(): Promise<readonly ImageMessage[]>
  imageStatus(image: string): Promise<ImageMessage | undefined>
  pullImage(image: string, auth: RegistryCredentials | undefined, sandbox: SandboxConfigMessage | undefined): Promise<string>
  removeImage(image: string): Promise<void>
  /** What all images take on disk. */
  imageFsInfo(): Promise<readonly FilesystemUsageMessage[]>
  close(): void
}

export interface StreamWishes {
  readonly tty: boolean
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}

type Unary = (request: object, options: { deadline: Date }, done: (error: Error | null, answer: unknown) => void) => void
type Streaming = (request: object) => grpc.ClientReadableStream<unknown>

function services(): Record<'RuntimeService' | 'ImageService', grpc.ServiceClientConstructor> {
  const definition = loadSync(join(import.meta.dirname, 'runtime.proto'), {
    longs: String,
    enums: String,
    defaults: true,
  })
  const { runtime } = grpc.loadPackageDefinition(definition) as unknown as {
    runtime: { v1: Record<'RuntimeService' | 'ImageService', grpc.ServiceClientConstructor> }
  }
  return runtime.v1
}

/** `endpoint`: a path, or `unix:///run/containerd/containerd.sock`. */
export function createCriClient(endpoint: string, clock: Pick<Clock, 'nowMs'>): CriClient {
  const { RuntimeService, ImageService } = services()
  const address = `unix:${endpoint.replace(/^unix:(\/\/)?/, '')}`
  const options = {
    // A socket's path is no name of a host.
    'grpc.default_authority': 'localhost',
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.max_reconnect_backoff_ms': reconnectMsMax,
    'grpc.initial_reconnect_backoff_ms': 100,
  }
  const credentials = grpc.credentials.createInsecure()
  const runtime = new RuntimeService(address, credentials, options)
  const images = new ImageService(address, credentials, options)
  const caller =
    (client: grpc.Client) =>
    <Answer>(method: string, request: object, timeoutMs: number = callTimeoutMs): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const call = (client as unknown as Record<string, Unary>)[method]!
        call.call(client, request, { deadline: new Date(clock.nowMs() + timeoutMs) }, (error, answer) =>
          error ? reject(error) : resolve(answer as Answer),
        )
      })
  return {
    ...runtimeCalls(caller(runtime), runtime),
    ...imageCalls(caller(images)),
    close() {
      runtime.close()
      images.close()
    },
  }
}

type Call = <Answer>(method: string, request: object, timeoutMs?: number) => Promise<Answer>

function runtimeCalls(
  call: Call,
  client: grpc.Client,
): Omit<CriClient, ImageCalls | 'close'> {
  const filtered = (labels: Labels | undefined) => (labels === undefined ? {} : { filter: { labelSelector: labels } })
  return {
    version: () => call('version', { version: 'v1' }),
    status: async () => (await call<{ status: { conditions: [] } }>('status', {})).status.conditions,
    runPodSandbox: async (config, runtimeHandler) =>
      (await call<{ podSandboxId: string }>('runPodSandbox', { config, runtimeHandler }, 2 * callTimeoutMs)).podSandboxId,
    stopPodSandbox: (podSandboxId) => call('stopPodSandbox', { podSandboxId }),
    removePodSandbox: (podSandboxId) => call('removePodSandbox', { podSandboxId }),
    podSandboxStatus: async (podSandboxId) =>
      (await call<{ status: SandboxStatusMessage }>('podSandboxStatus', { podSandboxId })).status,
    listPodSandboxes: async (labels) =>
      (await call<{ items: readonly ListedSandbox[] }>('listPodSandbox', filtered(labels))).items,
    createContainer: async (podSandboxId, config, sandboxConfig) =>
      (await call<{ containerId: string }>('createContainer', { podSandboxId, config, sandboxConfig })).containerId,
    startContainer: (containerId) => call('startContainer', { containerId }),
    stopContainer: (containerId, timeout) =>
      call('stopContainer', { containerId, timeout }, timeout * 1_000 + callTimeoutMs),
    removeContainer: (containerId) => call('removeContainer', { containerId }),
    listContainers: async (labels) =>
      (await call<{ containers: readonly ListedContainer[] }>('listContainers', filtered(labels))).containers,
    containerStatus: async (containerId) =>
      (await call<{ status: ContainerStatusMessage }>('containerStatus', { containerId })).status,
    updateContainerResources: (containerId, linux) => call('updateContainerResources', { containerId, linux }),
    reopenContainerLog: (containerId) => call('reopenContainerLog', { containerId }),
    execSync: (containerId, cmd, timeoutMs) =>
      call('execSync', { containerId, cmd, timeout: Math.ceil(timeoutMs / 1_000) }, timeoutMs + callTimeoutMs),
    execUrl: async (containerId, cmd, streams) =>
      (await call<{ url: string }>('exec', { containerId, cmd, ...streams })).url,
    attachUrl: async (containerId, streams) => (await call<{ url: string }>('attach', { containerId, ...streams })).url,
    portForwardUrl: async (podSandboxId, port) =>
      (await call<{ url: string }>('portForward', { podSandboxId, port: [port] })).url,
    containerStats: async (labels) =>
      (await call<{ stats: readonly ContainerStatsMessage[] }>('listContainerStats', filtered(labels))).stats,
    events: (onEvent, signal) =>
      new Promise((resolve, reject) => {
        const open = (client as unknown as { readonly getContainerEvents: Streaming }).getContainerEvents
        const stream = open.call(client, {})
        const stop = (): void => stream.cancel()
        signal.addEventListener('abort', stop, { once: true })
        stream.on('data', (event: ContainerEventMessage) => onEvent(event))
        stream.on('error', (error) => (signal.aborted ? resolve() : reject(error)))
        stream.on('end', () => (signal.aborted ? resolve() : reject(new Error('the stream of container events ended'))))
      }),
  }
}

type ImageCalls = 'listImages' | 'imageStatus' | 'pullImage' | 'removeImage' | 'imageFsInfo'

const imageCalls = (call: Call): Pick<CriClient, ImageCalls> => ({
  listImages: async () => (await call<{ images: readonly ImageMessage[] }>('listImages', {})).images,
  imageStatus: async (image) =>
    (await call<{ image: ImageMessage | null }>('imageStatus', { image: { image } })).image ?? undefined,
  pullImage: async (image, auth, sandboxConfig) =>
    (
      await call<{ imageRef: string }>(
        'pullImage',
        { image: { image }, ...(auth ? { auth } : {}), ...(sandboxConfig ? { sandboxConfig } : {}) },
        pullTimeoutMs,
      )
    ).imageRef,
  removeImage: (image) => call('removeImage', { image: { image } }),
  imageFsInfo: async () =>
    (await call<{ imageFilesystems: readonly FilesystemUsageMessage[] }>('imageFsInfo', {})).imageFilesystems,
})
