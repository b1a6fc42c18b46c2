// Conversion by webhooks. Stages of a request are pure: one that needs a conversion that is not known yet throws AwaitsConversion.
// Here the webhook is asked, outside of every lock, and the stage runs again. Objects that are shown are converted a batch at a
// time, as upstream converts lists.
import type { KubeObject } from '@shiplog/api/kube-object'
import { ApiError } from '@shiplog/api/status'
import type { ServedKind } from '@shiplog/domain/catalogue/served-kind'
import { AwaitsConversion, type ConversionTable } from '@shiplog/domain/custom-resource/webhook-conversion'
import {
  conversionFailed,
  type ConversionProblem,
  conversionReview,
  type ConversionRequest,
  convertedObjects,
} from '@shiplog/domain/webhook/conversion-review'
import type { Ids } from '@shiplog/runtime/ids'
import type { Answer } from '../operations/answer.ts'
import { Version } from '../store/version.ts'
import { NoAnswer, type WebhookClient } from '../webhooks/webhook-client.ts'

/** As upstream's client. */
const timeoutSeconds = 30
/** What one review asks about: its answer must fit into what is read of a webhook. */
const batchObjectsMax = 500
const batchBytesMax = 2 * 1024 * 1024
/** How many conversions one piece of work may wait for: an apply for managers of many versions waits for some. */
const conversionsMax = 64

export interface Converter {
  /** Runs the work, again whenever a conversion that it waited for is known. Throws ApiError where there is none. */
  settled<Result>(work: () => Result | Promise<Result>): Promise<Result>
  /** These versions as the kind shows them: what is stored in another shape is converted. Throws ApiError. */
  shown(kind: ServedKind, versions: readonly Version[]): Promise<readonly Version[]>
  /** An answer whose objects are as the kind of the request shows them. */
  answered(kind: ServedKind, answer: Answer): Promise<Answer>
}

export interface ConverterDeps {
  readonly client: WebhookClient
  readonly ids: Ids
  /** Ends all calls. */
  readonly stopped: AbortSignal
}

/** As upstream answers what no other error says more of. */
const failed = (message: string): ApiError =>
  new ApiError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 })

export function createConverter({ client, ids, stopped }: ConverterDeps): Converter {
  /** Has the webhook convert objects, all of one version, and keeps what it says. */
  async function ask(table: ConversionTable, objects: readonly KubeObject[], apiVersion: string): Promise<void> {
    const { clientConfig = {}, conversionReviewVersions } = table.webhook
    const request: ConversionRequest = {
      ...{ uid: ids.uuid(), objects, apiVersion },
      reviewVersions: conversionReviewVersions ?? [],
    }
    const review = conversionReview(request)
    if (isProblem(review)) throw failed(review.problem)
    const answer = await client.post(clientConfig, review, timeoutSeconds, stopped).catch((error: unknown) => {
      if (error instanceof NoAnswer) throw failed(conversionFailed(request, error.message))
      throw error
    })
    const converted = convertedObjects(request, answer)
    if ('problem' in converted) throw failed(converted.problem)
    for (const [index, object] of objects.entries()) table.learn(object, converted[index]!)
  }

  async function settled<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    for (let count = 0; ; count++) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof AwaitsConversion)) throw error
        const { table, object, apiVersion } = error
        if (count >= conversionsMax) throw failed(`the object could not be converted to ${apiVersion}: it is another one each time`)
        await ask(table, [object], apiVersion)
      }
    }
  }

  async function shownBatch(kind: ServedKind, versions: readonly Version[]): Promise<readonly Version[]> {
    const table = kind.conversions!
    const { group, version } = kind.resource
    const apiVersion = `${group}/${version}`
    const objects = versions.map((one) => kind.upgraded(one.parse(), one.sequence))
    const asked = objects.filter((object) => object.apiVersion !== apiVersion && !table.knows(object, apiVersion))
    if (asked.length > 0) await ask(table, asked, apiVersion)
    const shown: Version[] = []
    for (const [index, one] of versions.entries())
      shown.push(withContent(one, await settled(() => kind.fromStorage(objects[index]!))))
    return shown
  }

  async function shown(kind: ServedKind, versions: readonly Version[]): Promise<readonly Version[]> {
    if (!kind.conversions || versions.every((one) => isAsStored(kind, one))) return versions
    const all: Version[] = []
    for (const batch of batchesOf(versions)) {
      const stored = batch.filter((one) => !isAsStored(kind, one))
      const made = new Map((await shownBatch(kind, stored)).map((one, index) => [stored[index]!, one]))
      for (const one of batch) all.push(made.get(one) ?? one)
    }
    return all
  }

  return {
    settled,
    shown,
    async answered(kind, answer) {
      if (!kind.conversions) return answer
      if (answer.kind === 'list') return { ...answer, versions: await shown(kind, answer.versions) }
      if (answer.kind !== 'object') return answer
      const { object, ...rest } = answer
      if (object instanceof Version) return { ...answer, object: (await shown(kind, [object]))[0]! }
      return { ...rest, object: await settled(() => kind.fromStorage(object)) }
    },
  }
}

/** What has no bytes was never read by anybody. */
const isAsStored = (kind: ServedKind, version: Version): boolean =>
  kind.servedAsStored(version.sequence) || version.bytes.length === 0

const isProblem = (review: object): review is ConversionProblem => 'problem' in review

function* batchesOf(versions: readonly Version[]): Generator<readonly Version[]> {
  let batch: Version[] = []
  let bytes = 0
  for (const version of versions) {
    if (batch.length > 0 && (batch.length >= batchObjectsMax || bytes + version.bytes.length > batchBytesMax)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(version)
    bytes += version.bytes.length
  }
  if (batch.length > 0) yield batch
}

/** The same version of the object, in another shape. What was before it is its own. */
const withContent = (version: Version, object: KubeObject): Version =>
  new Version({
    ...{ key: version.key, namespace: version.namespace, name: version.name, sequence: version.sequence },
    ...{ timeMs: version.timeMs, deleted: version.deleted, previousSequence: version.previousSequence },
    ...{ checksum: version.checksum, previous: version.previous },
    bytes: Buffer.from(JSON.stringify(object)),
  })

/** Where there are no webhooks to ask: what would need one is refused. */
export const noConverter: Converter = {
  settled: async (work) => await work(),
  shown: (_kind, versions) => Promise.resolve(versions),
  answered: (_kind, answer) => Promise.resolve(answer),
}
