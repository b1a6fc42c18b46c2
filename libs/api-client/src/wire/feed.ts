// A node's feed as it travels over the bus, for both ends. The agent says what it has; the gateway sends what differs, and
// then every change. So a feed goes on after any break, at any gateway, and needs nobody's memory of where it was.

/** What a node may see. */
export const feedResources = ['nodes', 'pods', 'secrets', 'configmaps', 'persistentvolumeclaims'] as const
export type FeedResource = (typeof feedResources)[number]

const isFeedResource = (value: unknown): value is FeedResource => (feedResources as readonly unknown[]).includes(value)

/** What an agent asks for. */
export interface FeedRequest {
  readonly resources: readonly FeedResource[]
  /** The sequence that the agent's state is complete to; 0 when it has none. No feed goes back behind it. */
  readonly from: number
  /** The agent's state: by key, the sequence of each object's last event. Absent: it has none, or too much to say. */
  readonly known?: Readonly<Record<string, number>>
}

/** More objects than this are not told; the feed then begins with all of them. */
export const knownMax = 20_000

/** `pods/default/web`, `nodes//node-0`: an object that a node sees. */
export const feedKey = (resource: FeedResource, namespace: string, name: string): string =>
  `${resource}/${namespace}/${name}`

/** The parts of a key; undefined for what is none. */
export function parseFeedKey(
  key: string,
): { readonly resource: FeedResource; readonly namespace: string; readonly name: string } | undefined {
  const [resource, namespace, name, ...more] = key.split('/')
  if (!isFeedResource(resource) || namespace === undefined || !name || more.length > 0) return undefined
  return { resource, namespace, name }
}

/** Reads a request that anybody may have made up: it, or a sentence about what is wrong with it. */
export function readFeedRequest(request: Readonly<Record<string, unknown>>): FeedRequest | string {
  const { resources, from, known } = request
  if (!Array.isArray(resources) || resources.length === 0 || !resources.every(isFeedResource)) {
    return `a feed has some of these resources: ${feedResources.join(', ')}`
  }
  if (!isSequence(from)) return 'a feed begins at a sequence'
  if (known === undefined) return { resources, from }
  if (typeof known !== 'object' || known === null || Array.isArray(known)) return 'what is known is told by key'
  const entries = Object.entries(known)
  if (entries.length > knownMax) return `at most ${knownMax} objects can be told to be known`
  if (!entries.every(([key, sequence]) => parseFeedKey(key) !== undefined && isSequence(sequence))) {
    return 'what is known is told by key, with the sequence of each object'
  }
  return { resources, from, known: known as Record<string, number> }
}

/** One object of a message: as it is now, or gone (deleted, or no longer the node's to see). */
export type FeedEntry =
  | { readonly key: string; readonly timeMs: number; readonly object: FeedEntryObject }
  | { readonly key: string; readonly gone: true }

interface FeedEntryObject {
  readonly metadata: { readonly resourceVersion: string; readonly uid: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

/** A message of the gateway. Several make a batch, which is taken whole: with the last one, `sequence` is reached. */
export interface FeedMessage {
  readonly sequence: number
  readonly last: boolean
  readonly entries: readonly FeedEntry[]
}

/** The text of an entry whose object is given as text. */
export const entryText = (key: string, timeMs: number, object: string): string =>
  `{"key":${JSON.stringify(key)},"timeMs":${timeMs},"object":${object}}`

export const goneText = (key: string): string => `{"key":${JSON.stringify(key)},"gone":true}`

/** The text of a message of such entries. */
export const messageText = (sequence: number, last: boolean, entries: readonly string[]): string =>
  `{"sequence":${sequence},"last":${last},"entries":[${entries.join(',')}]}`

/** Reads a message; undefined for what no gateway sends. */
export function readFeedMessage(text: string): FeedMessage | undefined {
  try {
    const message = JSON.parse(text) as Partial<FeedMessage>
    if (!isSequence(message.sequence) || typeof message.last !== 'boolean' || !Array.isArray(message.entries)) {
      return undefined
    }
    return message.entries.every(isEntry) ? (message as FeedMessage) : undefined
  } catch {
    return undefined
  }
}

const isSequence = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function isEntry(value: unknown): boolean {
  const entry = (value ?? {}) as {
    key?: unknown
    gone?: unknown
    object?: { metadata?: { resourceVersion?: unknown } }
  }
  if (typeof entry.key !== 'string' || parseFeedKey(entry.key) === undefined) return false
  return entry.gone === true || typeof entry.object?.metadata?.resourceVersion === 'string'
}
