// Who may use an image that is on the node already: it was pulled with somebody's credentials, and a pod that has neither them
// nor the same Secret must not get it for nothing (KubeletEnsureSecretPulledImages, with the policy that is the default:
// NeverVerifyPreloadedImages). What was pulled how is kept in the kubelet's files, in its form: a pull that is begun leaves
// a file before it, so that an image that appears while nobody looks is not taken for one that was always there.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, rfc3339 } from '@shiplog/runtime/clock'
import { imageNameOf, repositoryOf } from './image-names.ts'
import type { SecretSource } from './keyring.ts'

/** Secrets that one image remembers; as upstream, more are asked of the registry again. */
const secretsMax = 100

export interface PullRecords {
  /** A pull begins. */
  begun(image: string): void
  /** It failed, and no other pull of the image is under way: nothing is known of it. */
  failed(image: string): void
  /** It succeeded; `source` undefined: without credentials of a Secret, so every pod may use it. */
  pulled(image: string, imageID: string, source: SecretSource | undefined): void
  /** Whether a pod with these credentials may use what is there without asking the registry. */
  mayUse(image: string, imageID: string, sources: () => Promise<readonly SecretSource[]>): Promise<boolean>
  /** Pulls that an earlier life did not see the end of: what is there of them belongs to nobody yet. */
  recover(present: readonly { readonly id: string; readonly repoTags: readonly string[]; readonly repoDigests: readonly string[] }[]): void
  /** Forgets all images but these, if nothing was written of them since then. */
  prune(imageIDs: ReadonlySet<string>, untilMs: number): void
}

interface Access {
  readonly nodePodsAccessible?: boolean
  readonly kubernetesSecrets?: readonly SecretSource[]
}

interface PulledRecord {
  readonly lastUpdatedTime: string
  readonly imageRef: string
  /** By the image's name without tag and digest. */
  readonly credentialMapping: Readonly<Record<string, Access>>
}

const kind = (name: string) => ({ kind: name, apiVersion: 'kubelet.config.k8s.io/v1beta1' })
const fileName = (key: string): string => `sha256-${createHash('sha256').update(key).digest('hex')}`
const repository = (image: string): string => repositoryOf(image) ?? image

/** `directory`: made when it is not there; for the agent's eyes only. */
export function createPullRecords({ directory, clock }: { readonly directory: string; readonly clock: Pick<Clock, 'nowMs'> }): PullRecords {
  const pulling = join(directory, 'pulling')
  const pulled = join(directory, 'pulled')
  for (const dir of [pulling, pulled]) mkdirSync(dir, { recursive: true, mode: 0o700 })
  const underWay = new Map<string, number>()
  const recordOf = (imageID: string): PulledRecord | undefined => read<PulledRecord>(join(pulled, fileName(imageID)))
  const grant = (image: string, imageID: string, access: Access | undefined): void => {
    const before = recordOf(imageID)
    const credentialMapping = { ...before?.credentialMapping }
    const merged = merge(credentialMapping[repository(image)], access)
    if (merged !== undefined) credentialMapping[repository(image)] = merged
    const record = { ...kind('ImagePulledRecord'), lastUpdatedTime: rfc3339(clock.nowMs()), imageRef: imageID, credentialMapping }
    write(join(pulled, fileName(imageID)), record)
  }
  const end = (image: string): void => {
    const others = (underWay.get(image) ?? 1) - 1
    if (others > 0) underWay.set(image, others)
    else {
      underWay.delete(image)
      rmSync(join(pulling, fileName(image)), { force: true })
    }
  }
  return {
    begun(image) {
      write(join(pulling, fileName(image)), { ...kind('ImagePullIntent'), image })
      underWay.set(image, (underWay.get(image) ?? 0) + 1)
    },
    failed: end,
    pulled(image, imageID, source) {
      grant(image, imageID, source === undefined ? { nodePodsAccessible: true } : { kubernetesSecrets: [source] })
      end(image)
    },
    async mayUse(image, imageID, sources) {
      const record = recordOf(imageID)
      // Neither pulled nor being pulled by the agent: it was loaded into the node, for everybody.
      if (record === undefined) return !underWay.has(image) && !existsSync(join(pulling, fileName(image)))
      const access = record.credentialMapping[repository(image)]
      if (access?.nodePodsAccessible === true) return true
      const known = access?.kubernetesSecrets ?? []
      if (known.length === 0) return false
      const match = (await sources()).find((source) => known.some((other) => sameSecret(source, other) || source.credentialHash === other.credentialHash))
      if (match === undefined) return false
      const isNew = !known.some((other) => sameSecret(match, other) && match.credentialHash === other.credentialHash)
      if (isNew && known.length < secretsMax) grant(image, imageID, { kubernetesSecrets: [match] })
      return true
    },
    recover(present) {
      for (const file of readdirSync(pulling)) {
        const image = read<{ readonly image: string }>(join(pulling, file))?.image
        const name = image && imageNameOf(image)
        const found = present.find(({ repoTags, repoDigests }) => name && [...repoTags, ...repoDigests].includes(name))
        if (image && underWay.has(image)) continue
        if (image && found) grant(image, found.id, undefined)
        rmSync(join(pulling, file), { force: true })
      }
    },
    prune(imageIDs, untilMs) {
      for (const file of readdirSync(pulled)) {
        const record = read<PulledRecord>(join(pulled, file))
        if (record && (imageIDs.has(record.imageRef) || Date.parse(record.lastUpdatedTime) >= untilMs)) continue
        rmSync(join(pulled, file), { force: true })
      }
    },
  }
}

const sameSecret = (a: SecretSource, b: SecretSource): boolean =>
  a.uid === b.uid && a.namespace === b.namespace && a.name === b.name

function merge(before: Access | undefined, more: Access | undefined): Access | undefined {
  if (more === undefined || before?.nodePodsAccessible) return before
  if (more.nodePodsAccessible) return more
  const added = more.kubernetesSecrets ?? []
  const others = (before?.kubernetesSecrets ?? []).filter((one) => !added.some((other) => sameSecret(one, other)))
  return { kubernetesSecrets: [...others, ...added] }
}

/** Undefined for what is not there, and for what a crash left half written: then the registry is asked. */
function read<Value>(path: string): Value | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Value
  } catch {
    return undefined
  }
}

function write(path: string, value: object): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
