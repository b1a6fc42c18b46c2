// Gets the image of a container by its pull policy, with the events and reasons of upstream.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { RuntimeFailure } from '@shiplog/node/container-runtime'
import { type CriClient, criMessage, isCriFault } from '@shiplog/node/cri/cri-client'
import type { ImageMessage, SandboxConfigMessage } from '@shiplog/node/cri/cri-messages'
import type { Clock } from '@shiplog/runtime/clock'
import type { References } from '../references.ts'
import { imageNameOf, pullPolicyOf } from './image-names.ts'
import { type Credentials, credentialsFor, type PullSecret } from './keyring.ts'
import type { PullRecords } from './pull-records.ts'

/** Pulls at once; a registry that hangs holds one of them, and not all of the node's. */
const pullsMax = 5

type Tell = (type: 'Normal' | 'Warning', reason: string, message: string) => void

export interface ImagePull {
  readonly image: string
  readonly policy: string | undefined
  readonly sandbox: SandboxConfigMessage | undefined
  readonly pod: Pod
  readonly tell: Tell
}

export interface ImagePuller {
  /** The image, on the node. Rejects with RuntimeFailure. */
  ensure(pull: ImagePull): Promise<ImageMessage>
}

export interface ImagePullerDeps {
  readonly client: Pick<CriClient, 'imageStatus' | 'pullImage' | 'listImages'>
  readonly references: References
  readonly records: PullRecords
  readonly clock: Pick<Clock, 'nowMs'>
  /** Credentials of the node itself: of its provider plug-ins. */
  readonly nodeCredentials?: (image: string) => Promise<readonly Credentials[]>
}

interface Puller extends ImagePullerDeps {
  readonly places: ReturnType<typeof createPlaces>
  /** Pulls of an earlier life are accounted for. */
  recovered: Promise<void> | undefined
}

export function createImagePuller(deps: ImagePullerDeps): ImagePuller {
  const puller: Puller = { ...deps, places: createPlaces(pullsMax), recovered: undefined }
  return { ensure: (pull) => ensure(puller, pull) }
}

async function ensure(puller: Puller, pull: ImagePull): Promise<ImageMessage> {
  const { image, tell } = pull
  const name = imageNameOf(image)
  if (name === undefined) {
    const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`
    tell('Warning', 'InspectFailed', message)
    throw new RuntimeFailure('InvalidImageName', message)
  }
  const policy = pullPolicyOf(image, pull.policy)
  // Asked for once, and only when somebody wants to know.
  let found: Promise<Credentials[]> | undefined
  const credentials = (): Promise<Credentials[]> => (found ??= credentialsOf(puller, name, pull))
  if (policy !== 'Always') {
    const present = await inspect(puller, name, pull)
    const sources = async () => (await credentials()).flatMap(({ source }) => source ?? [])
    if (present !== undefined && (await puller.records.mayUse(image, present.id, sources))) {
      tell('Normal', 'Pulled', `Container image "${image}" already present on machine and can be accessed by the pod`)
      return present
    }
  }
  if (policy === 'Never') {
    // Also of an image that is there: that it is, is nobody's business who may not use it.
    const message = `Container image "${image}" is not present with pull policy of Never`
    tell('Warning', 'ErrImageNeverPull', message)
    throw new RuntimeFailure('ErrImageNeverPull', message)
  }
  return await download(puller, name, pull, await credentials())
}

async function inspect(puller: Puller, name: string, { image, tell }: ImagePull): Promise<ImageMessage | undefined> {
  const { client, records } = puller
  try {
    puller.recovered ??= client.listImages().then((images) => records.recover(images))
    await puller.recovered
    return await client.imageStatus(name)
  } catch (error) {
    puller.recovered = undefined
    const message = `Failed to inspect image "${image}": ${faultText(error)}`
    tell('Warning', 'InspectFailed', message)
    throw new RuntimeFailure('ImageInspectError', message)
  }
}

async function download(puller: Puller, name: string, pull: ImagePull, credentials: readonly Credentials[]): Promise<ImageMessage> {
  const { client, records, clock, places } = puller
  const { image, sandbox, tell } = pull
  records.begun(image)
  tell('Normal', 'Pulling', `Pulling image "${image}"`)
  const askedMs = clock.nowMs()
  const faults = new Set<string>()
  using _place = await places.take()
  const begunMs = clock.nowMs()
  for (const candidate of credentials.length === 0 ? [undefined] : credentials) {
    try {
      const { source, ...auth } = candidate ?? {}
      const reference = await client.pullImage(name, candidate && auth, sandbox)
      const found = (await client.imageStatus(reference)) ?? (await client.imageStatus(name))
      if (found === undefined) throw new Error(`image "${image}" is not there after its pull`)
      records.pulled(image, found.id, source)
      const [took, whole] = [clock.nowMs() - begunMs, clock.nowMs() - askedMs].map(goSeconds)
      tell('Normal', 'Pulled', `Successfully pulled image "${image}" in ${took} (${whole} including waiting). Image size: ${found.size} bytes.`)
      return found
    } catch (error) {
      faults.add(faultText(error))
    }
  }
  records.failed(image)
  const message = faults.size === 1 ? [...faults][0]! : `[${[...faults].join(', ')}]`
  tell('Warning', 'Failed', `Failed to pull image "${image}": ${message}`)
  throw pullFailure(image, message)
}

/** Runtimes say two kinds of failures by a word in front, which becomes the reason. */
const told = [
  ['RegistryUnavailable', 'the registry is unavailable'],
  ['SignatureValidationFailed', 'the signature validation failed'],
] as const

function pullFailure(image: string, message: string): RuntimeFailure {
  const [reason, why] = told.find(([word]) => message.startsWith(word)) ?? []
  if (reason === undefined) return new RuntimeFailure('ErrImagePull', message)
  return new RuntimeFailure(reason, `image pull failed for ${image} because ${why}${message.slice(reason.length)}`)
}

/** gRPC's codes by Go's names. */
const codes = [
  ...['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists', 'PermissionDenied'],
  ...['ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented', 'Internal', 'Unavailable'],
  ...['DataLoss', 'Unauthenticated'],
]
const unknownCode = 2

/** As the kubelet tells a fault of its runtime. */
const faultText = (error: unknown): string =>
  isCriFault(error) && error.code !== unknownCode ? `rpc error: code = ${codes[error.code] ?? error.code} desc = ${error.details}` : criMessage(error)

/** As Go prints a duration of whole milliseconds: `1.5s`, `1m2s`. */
export function goSeconds(ms: number): string {
  if (ms < 1_000) return ms === 0 ? '0s' : `${ms}ms`
  const minutes = Math.floor(ms / 60_000)
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60]
  return `${hours > 0 ? `${hours}h` : ''}${minutes > 0 ? `${rest}m` : ''}${(ms % 60_000) / 1_000}s`
}

/** Those of the pod's Secrets first, then the node's. */
async function credentialsOf({ references, nodeCredentials }: Puller, name: string, { pod, tell }: ImagePull): Promise<Credentials[]> {
  const names = (pod.spec.imagePullSecrets ?? []).flatMap((reference) => reference.name || [])
  const missing: string[] = []
  const get = async (secret: string): Promise<PullSecret[]> => {
    const found = await references.get('secrets', pod.metadata.namespace ?? '', secret).catch(() => undefined)
    if (found === undefined) missing.push(secret)
    return found === undefined ? [] : [found as PullSecret]
  }
  const secrets = (await Promise.all(names.map(get))).flat()
  if (missing.length > 0) {
    const list = names.filter((one) => missing.includes(one)).join(', ')
    tell('Warning', 'FailedToRetrieveImagePullSecret', `Unable to retrieve some image pull secrets (${list}); attempting to pull the image may not succeed.`)
  }
  return [...credentialsFor(name, secrets), ...((await nodeCredentials?.(name)) ?? [])]
}

/** So many at once; who comes later waits for a place. */
function createPlaces(max: number): { take(): Promise<Disposable> } {
  let free = max
  const waiting: (() => void)[] = []
  const place: Disposable = {
    [Symbol.dispose]() {
      const next = waiting.shift()
      if (next) next()
      else free++
    },
  }
  return {
    async take() {
      if (free > 0) free--
      else await new Promise<void>((resolve) => waiting.push(resolve))
      return place
    },
  }
}
