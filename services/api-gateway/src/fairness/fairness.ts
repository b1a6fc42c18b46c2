// Priority and fairness: requests over HTTP take seats of the priority level that their FlowSchema names, wait in its queues, or
// are told to come later. What is long-running gives its seat back when it has begun. Components of the process, and what comes
// over the bus, do not come through here.
import type { FlowSchema, PriorityLevelConfiguration } from '@shiplog/api/generated/types/flowcontrol-v1'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import { ApiError, tooManyRequests } from '@shiplog/api/status'
import type { AdmissionView } from '@shiplog/domain/admission'
import { distinguisherOf, type FlowDigest, inPrecedence, schemaFor } from '@shiplog/domain/flow-control/classify'
import { createLevels, enter, giveUp, leave, type LevelState, type Place } from '@shiplog/domain/flow-control/fair-queues'
import type { User } from '@shiplog/domain/strategy'
import type { Clock } from '@shiplog/runtime/clock'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'
import type { Streams } from '../store/streams.ts'
import { createFairnessMetrics, type FairnessMetrics } from './fairness-metrics.ts'

/** A request that has its seats; disposing of it twice is no mistake. */
export interface Seat extends Disposable {
  readonly schemaUid: string
  readonly levelUid: string
}

export interface Fairness {
  /** Undefined where nothing is configured. Rejects with 429 when there is no room. */
  enter(digest: FlowDigest): Seat | Promise<Seat> | undefined
}

export interface FairnessDeps {
  readonly view: AdmissionView
  readonly streams: Streams
  readonly clock: Clock
  readonly metrics: MetricsRegistry
  /** Whether there is such a resource. */
  readonly isKind: (groupResource: string) => boolean
  /** Seats of all levels together. */
  readonly seats?: number
}

/** As upstream's --max-requests-inflight and --max-mutating-requests-inflight together. */
export const defaultSeats = 600
/** A quarter of a request's time, as upstream. */
const waitMaxMs = 15_000
const retryAfterSeconds = 1
/** Objects of a list that one seat stands for, and the most seats that one request takes. */
const objectsOfSeat = 100
const widthMax = 10
/** Kinds of requests that are remembered of one user. */
const flowsOfUserMax = 1_000

const schemasName = 'flowschemas.flowcontrol.apiserver.k8s.io'
const levelsName = 'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io'

interface Flow {
  readonly schema: FlowSchema
  readonly level: LevelState
  readonly levelUid: string
  readonly hash: number
}

interface Configuration {
  readonly schemas: readonly FlowSchema[]
  readonly levels: ReadonlyMap<string, LevelState>
  readonly uids: ReadonlyMap<string, string>
  /** By user, then by what is asked: most users ask for the same again and again. */
  readonly flows: WeakMap<User, Map<string, Flow | undefined>>
}

export function createFairness({ view, streams, clock, isKind, metrics: registry, seats = defaultSeats }: FairnessDeps): Fairness {
  const { projection } = streams.events
  const metrics = createFairnessMetrics(registry)
  let isStale = true
  let configuration: Configuration | undefined
  for (const name of [schemasName, levelsName])
    projection.table(name).listeners.add(() => {
      isStale = true
    })
  const current = (): Configuration | undefined => {
    if (!isStale) return configuration
    // Before the snapshot is complete nobody tells of what came.
    isStale = !projection.synced
    configuration = readConfiguration(view, seats)
    if (configuration) metrics.limits(configuration.levels.values())
    return configuration
  }
  return {
    enter(digest) {
      const known = current()
      const flow = known && flowOf(known, digest)
      if (!known || !flow) return undefined
      return take({ clock, metrics }, known.levels, flow, widthOf({ streams, isKind }, digest))
    },
  }
}

function readConfiguration(view: AdmissionView, seats: number): Configuration | undefined {
  const schemas = view.list(schemasName) as readonly unknown[] as readonly FlowSchema[]
  if (schemas.length === 0) return undefined
  const levels = view.list(levelsName) as readonly unknown[] as readonly PriorityLevelConfiguration[]
  return {
    schemas: inPrecedence(schemas),
    levels: createLevels(levels, seats),
    uids: new Map(levels.map(({ metadata }) => [metadata.name, metadata.uid])),
    flows: new WeakMap(),
  }
}

function flowOf(known: Configuration, digest: FlowDigest): Flow | undefined {
  let ofUser = known.flows.get(digest.user)
  if (!ofUser) known.flows.set(digest.user, (ofUser = new Map()))
  const { verb, target, path } = digest
  const key = target ? `${verb} ${target.group}/${target.resource}/${target.subresource} ${target.namespace}` : `${verb} ${path}`
  if (ofUser.has(key)) return ofUser.get(key)
  const schema = schemaFor(known.schemas, digest)
  const name = schema?.spec.priorityLevelConfiguration.name ?? ''
  // A schema without its level leads to the one that takes what nobody wants.
  const level = known.levels.get(name) ?? known.levels.get('catch-all')
  const flow = schema && level && { schema, level, levelUid: known.uids.get(level.name) ?? '', hash: hashOf(`${schema.metadata.name},${distinguisherOf(schema, digest)}`) }
  if (ofUser.size >= flowsOfUserMax) ofUser.clear()
  ofUser.set(key, flow)
  return flow
}

/** 48 bits of FNV-1a. */
function hashOf(text: string): number {
  let [low, high] = [0x811c9dc5, 0xcbf29ce4]
  for (let at = 0; at < text.length; at++) {
    low = Math.imul(low ^ text.charCodeAt(at), 0x01000193)
    high = Math.imul(high ^ low, 0x01000193)
  }
  return (low >>> 0) * 0x10000 + ((high >>> 0) & 0xffff)
}

/** A list costs by what it goes through; everything else is one seat wide. */
function widthOf({ streams, isKind }: Pick<FairnessDeps, 'streams' | 'isKind'>, { verb, target }: FlowDigest): number {
  if (!target || verb !== 'list') return 1
  const name = groupResourceOf(target.group, target.resource)
  if (!isKind(name)) return 1
  const objects = streams.of(name).projection.table(name).current.size
  return Math.min(widthMax, Math.max(1, Math.ceil(objects / objectsOfSeat)))
}

function take(
  { clock, metrics }: { readonly clock: Clock; readonly metrics: FairnessMetrics },
  levels: ReadonlyMap<string, LevelState>,
  { schema, level, levelUid, hash }: Flow,
  width: number,
): Seat | Promise<Seat> {
  const { name, uid } = schema.metadata
  const counted = metrics.of(name, level.name)
  let started: (() => void) | undefined
  const { entry, place } = enter(levels, level, hash, { width, start: () => started?.() })
  if (entry === 'served') {
    counted.waited(0)
    return seatOf(levels, place, uid, levelUid, counted)
  }
  if (entry !== 'waits') {
    counted.rejected(entry)
    return Promise.reject(tooMany())
  }
  const { promise, resolve, reject } = Promise.withResolvers<Seat>()
  const sinceMs = clock.nowMs()
  counted.waiting(1)
  const deadline = clock.after(waitMaxMs, () => {
    if (!giveUp(place)) return
    counted.waiting(-1)
    counted.rejected('time-out')
    reject(tooMany())
  })
  started = () => {
    deadline[Symbol.dispose]()
    counted.waiting(-1)
    counted.waited((clock.nowMs() - sinceMs) / 1_000)
    resolve(seatOf(levels, place, uid, levelUid, counted))
  }
  return promise
}

const tooMany = (): ApiError => new ApiError(tooManyRequests('Too many requests, please try again later.', retryAfterSeconds))

function seatOf(
  levels: ReadonlyMap<string, LevelState>,
  place: Place,
  schemaUid: string,
  levelUid: string,
  counted: ReturnType<FairnessMetrics['of']>,
): Seat {
  const { width } = place.seated
  let isHeld = true
  counted.serving(width)
  return {
    ...{ schemaUid, levelUid },
    [Symbol.dispose]() {
      if (!isHeld) return
      isHeld = false
      counted.served(width)
      leave(levels, place)
    },
  }
}
