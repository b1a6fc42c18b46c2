// Conversion by a webhook, as the pure stages see it: a table of what the webhook has said so far. A stage that needs what is not
// in it throws AwaitsConversion; whoever may wait asks the webhook, outside of every lock, and runs the stage again.
import type { WebhookConversion } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'

/** What one definition keeps of its webhook's answers, in characters of the objects asked about and answered. */
const charactersMax = 16 * 1024 * 1024

/** A stage cannot go on before this object is known in that version. */
export class AwaitsConversion extends Error {
  override readonly name = 'AwaitsConversion'
  readonly table: ConversionTable
  readonly object: KubeObject
  readonly apiVersion: string
  constructor(table: ConversionTable, object: KubeObject, apiVersion: string) {
    super(`a conversion to ${apiVersion} is not known yet`)
    this.table = table
    this.object = object
    this.apiVersion = apiVersion
  }
}

export interface ConversionTable {
  readonly webhook: WebhookConversion
  /** The object in that version, its metadata its own but for labels and annotations. Throws AwaitsConversion. */
  converted(object: KubeObject, apiVersion: string): KubeObject
  knows(object: KubeObject, apiVersion: string): boolean
  /** Keeps what the webhook made of an object; `answer` was checked (webhook/conversion-review.ts). */
  learn(object: KubeObject, answer: KubeObject): void
}

export function createConversionTable(webhook: WebhookConversion): ConversionTable {
  /** Whoever was asked for last stands last. */
  const answers = new Map<string, string>()
  let characters = 0

  const found = (object: KubeObject, apiVersion: string): string | undefined => {
    const key = keyOf(object, apiVersion)
    const text = answers.get(key)
    if (text === undefined) return undefined
    answers.delete(key)
    answers.set(key, text)
    return text
  }

  return {
    webhook,
    converted(object, apiVersion) {
      const text = found(object, apiVersion)
      if (text === undefined) throw new AwaitsConversion(this, object, apiVersion)
      return withMetadataOf(object, JSON.parse(text) as KubeObject)
    },
    knows: (object, apiVersion) => answers.has(keyOf(object, apiVersion)),
    learn(object, answer) {
      const { labels, annotations } = answer.metadata
      const key = keyOf(object, answer.apiVersion)
      const text = JSON.stringify({ ...answer, metadata: { labels, annotations } })
      characters += key.length + text.length - (answers.has(key) ? key.length + answers.get(key)!.length : 0)
      answers.delete(key)
      answers.set(key, text)
      for (const [oldest, its] of answers) {
        if (characters <= charactersMax || oldest === key) break
        characters -= oldest.length + its.length
        answers.delete(oldest)
      }
    },
  }
}

/** Labels and annotations are the webhook's; all else of metadata no conversion may change. */
function withMetadataOf({ metadata }: KubeObject, answer: KubeObject): KubeObject {
  const { labels: _, annotations: __, ...own } = metadata
  const { labels, annotations } = answer.metadata
  return {
    ...answer,
    metadata: { ...own, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) },
  } as KubeObject
}

/** What each attempt at a write gives anew, or what follows from the write: nothing that a conversion may depend on. */
const ownOfTheServer = [
  ...['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields'],
  ...['deletionTimestamp', 'deletionGracePeriodSeconds'],
]

function keyOf(object: KubeObject, apiVersion: string): string {
  const metadata: JsonObject = { ...object.metadata }
  // A name that is made up is another one in each attempt.
  const { generateName } = object.metadata
  for (const field of generateName ? [...ownOfTheServer, 'name'] : ownOfTheServer) delete metadata[field]
  return `${apiVersion} ${JSON.stringify({ ...object, metadata })}`
}
