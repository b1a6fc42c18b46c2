// Gets the image of a container by its pull policy, with the events and reasons of upstream.
import type { Pod, Secret } from '@shiplog/api/generated/types/core-v1'
import { RuntimeFailure } from '@shiplog/node/container-runtime'
import { type CriClient, criMessage } from '@shiplog/node/cri/cri-client'
import type { ImageMessage, SandboxConfigMessage } from '@shiplog/node/cri/cri-messages'
import type { Clock } from '@shiplog/runtime/clock'
import type { References } from '../references.ts'
import { credentialsFor, imageNameOf, pullPolicyOf } from './image-names.ts'

export interface ImagePull {
  readonly image: string
  readonly policy: string | undefined
  readonly sandbox: SandboxConfigMessage | undefined
  readonly pod: Pod
  readonly tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void
}

export interface ImagePuller {
  /** The image, on the node. Rejects with RuntimeFailure. */
  ensure(pull: ImagePull): Promise<ImageMessage>
}

export interface ImagePullerDeps {
  readonly client: CriClient
  readonly references: References
  readonly clock: Clock
}

export const createImagePuller = (deps: ImagePullerDeps): ImagePuller => ({
  async ensure(pull) {
    const { image, tell } = pull
    const name = imageNameOf(image)
    if (name === undefined) {
      const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`
      tell('Warning', 'InspectFailed', message)
      throw new RuntimeFailure('InvalidImageName', message)
    }
    const policy = pullPolicyOf(image, pull.policy)
    const present = await deps.client.imageStatus(name)
    if (present !== undefined && policy !== 'Always') {
      tell('Normal', 'Pulled', `Container image "${image}" already present on machine`)
      return present
    }
    if (policy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`
      tell('Warning', 'ErrImageNeverPull', message)
      throw new RuntimeFailure('ErrImageNeverPull', message)
    }
    return await download(deps, name, pull)
  },
})

async function download({ client, references, clock }: ImagePullerDeps, name: string, pull: ImagePull): Promise<ImageMessage> {
  const { image, pod, sandbox, tell } = pull
  tell('Normal', 'Pulling', `Pulling image "${image}"`)
  const begunMs = clock.nowMs()
  const candidates = credentialsFor(name, await pullSecrets(references, pod))
  let fault: unknown
  for (const credentials of candidates.length === 0 ? [undefined] : candidates) {
    try {
      const reference = await client.pullImage(name, credentials, sandbox)
      const found = (await client.imageStatus(reference)) ?? (await client.imageStatus(name))
      if (found === undefined) throw new Error(`image "${image}" is not there after its pull`)
      const took = goSeconds(clock.nowMs() - begunMs)
      tell('Normal', 'Pulled', `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${found.size} bytes.`)
      return found
    } catch (error) {
      fault = error
    }
  }
  tell('Warning', 'Failed', `Failed to pull image "${image}": ${criMessage(fault)}`)
  throw new RuntimeFailure('ErrImagePull', criMessage(fault))
}

const goSeconds = (ms: number): string => (ms < 1_000 ? `${ms}ms` : `${ms / 1_000}s`)

/** What is not there, or no secret of that kind, does not keep the others from being tried. */
async function pullSecrets(references: References, { metadata, spec }: Pod): Promise<Pick<Secret, 'data'>[]> {
  const names = (spec.imagePullSecrets ?? []).flatMap(({ name }) => name || [])
  const found = await Promise.all(names.map((name) => references.get('secrets', metadata.namespace ?? '', name).catch(() => undefined)))
  return found.flatMap((secret) => secret ?? [])
}

