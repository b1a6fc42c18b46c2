// What a replica of a component tells of itself, in its Lease `kube-system/<component>-<replica>`: who holds it, how often
// it was begun anew, since when this life lasts, and how it fares. Whoever holds such a Lease is shown as a pod in
// kube-system (libs/control-plane/src/pods/component-pods.ts). Pure: builds and reads objects.
//
// `leaseTransitions` counts the lives: a holder that takes the Lease over from another adds one, so the number of restarts
// needs no counting elsewhere and every reader sees the same. An orderly end deletes the Lease.
import type { Lease, LeaseSpec } from '@shiplog/api/generated/types/coordination-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { rfc3339, rfc3339Micro } from '@shiplog/runtime/clock'
import type { HealthCheck } from '@shiplog/runtime/service'

export const componentNamespace = 'kube-system'
export const leaseAddress = {
  group: 'coordination.k8s.io',
  resource: 'leases',
  namespace: componentNamespace,
} as const
/**
 * Label of every such Lease; its value is the component's name. The Leases by which replicas divide their keys (replica.ts)
 * have another: these bear the names of replicas, which outlast a process, and those the names of processes.
 */
export const heartbeatLabel = 'shiplog.dev/heartbeat'

const startedAt = 'shiplog.dev/started-at'
const health = 'shiplog.dev/health'
/** `<start>/<end>` of the life before, as far as its last renewal tells. */
const lifeBefore = 'shiplog.dev/life-before'
/** `address:port` where the component serves, if it does. */
const serves = 'shiplog.dev/serves'

/** Of the machine it runs on, as others know it. */
const address = 'shiplog.dev/address'
const version = 'shiplog.dev/version'

const healthLengthMax = 1_024
const healthy = 'ok'

export const componentLeaseName = (component: string, replica: string): string => `${component}-${replica}`

/** What the annotations of a Lease are made of. */
export interface ComponentVitals {
  readonly startedAtMs: number
  readonly version?: string
  /** Of the machine it runs on, as others know it. */
  readonly address?: string
  /** Checks that fail now. */
  readonly failing: readonly HealthCheck[]
  readonly serves?: { readonly address: string; readonly port: number }
}

/** The annotations by which a Lease tells how its holder fares. */
export const vitalAnnotations = (vitals: ComponentVitals): Readonly<Record<string, string>> => ({
  [startedAt]: rfc3339(vitals.startedAtMs),
  ...(vitals.version === undefined ? {} : { [version]: vitals.version }),
  ...(vitals.address === undefined ? {} : { [address]: vitals.address }),
  [health]:
    vitals.failing
      .map(({ name, reason }) => `${name}: ${reason ?? 'failed'}`)
      .join('; ')
      .slice(0, healthLengthMax) || healthy,
  ...(vitals.serves ? { [serves]: `${vitals.serves.address}:${vitals.serves.port}` } : {}),
})

export interface ComponentHolder {
  readonly component: string
  readonly replica: string
  /** Unique to this life of the process. */
  readonly holder: string
  readonly durationSeconds: number
  readonly annotations: Readonly<Record<string, string>>
}

/** The Lease as its holder writes it: anew, renewed, or taken over from the life before. */
export function componentLease(before: Lease | undefined, own: ComponentHolder, nowMs: number): JsonObject {
  const old: LeaseSpec = before?.spec ?? {}
  const told = (before?.metadata.annotations ?? {}) as Readonly<Record<string, string>>
  const another = before !== undefined && old.holderIdentity !== own.holder
  const ended = another
    ? { [lifeBefore]: `${told[startedAt] ?? ''}/${(old.renewTime ?? '').slice(0, 19)}Z` }
    : told[lifeBefore] === undefined
      ? {}
      : { [lifeBefore]: told[lifeBefore] }
  return {
    apiVersion: `${leaseAddress.group}/v1`,
    kind: 'Lease',
    metadata: {
      ...(before?.metadata ?? {
        name: componentLeaseName(own.component, own.replica),
        namespace: componentNamespace,
      }),
      labels: { ...before?.metadata.labels, [heartbeatLabel]: own.component },
      annotations: { ...told, ...own.annotations, ...ended },
    },
    spec: {
      holderIdentity: own.holder,
      leaseDurationSeconds: own.durationSeconds,
      acquireTime: another || before === undefined ? rfc3339Micro(nowMs) : old.acquireTime,
      renewTime: rfc3339Micro(nowMs),
      leaseTransitions: (old.leaseTransitions ?? 0) + (another ? 1 : 0),
    },
  }
}

/** A component's Lease, read. */
export interface ComponentReport {
  readonly leaseName: string
  readonly leaseUid: string
  readonly component: string
  readonly holder: string
  /** How often it was begun anew. */
  readonly restarts: number
  readonly startedAtMs: number
  readonly renewedAtMs: number
  readonly version: string
  readonly address: string
  /** What is wrong, in its own words; empty when all is well. */
  readonly complaint: string
  readonly lifeBefore?: { readonly startedAtMs: number; readonly endedAtMs: number }
  readonly serves?: { readonly address: string; readonly port: number }
}

/** Undefined for a Lease that is no component's. */
export function readComponentLease(lease: Lease): ComponentReport | undefined {
  const component = (lease.metadata.labels as Record<string, string> | undefined)?.[heartbeatLabel]
  if (component === undefined || component === '') return undefined
  const told = (lease.metadata.annotations ?? {}) as Readonly<Record<string, string>>
  const spec: LeaseSpec = lease.spec ?? {}
  const renewedAtMs = timeOf(spec.renewTime, 0)
  const [began, ended] = (told[lifeBefore] ?? '').split('/')
  const endedAtMs = timeOf(ended, Number.NaN)
  const place = /^(.+):(\d{1,5})$/.exec(told[serves] ?? '')
  return {
    leaseName: lease.metadata.name,
    leaseUid: lease.metadata.uid ?? '',
    component,
    holder: spec.holderIdentity ?? '',
    restarts: spec.leaseTransitions ?? 0,
    startedAtMs: timeOf(told[startedAt], timeOf(spec.acquireTime, renewedAtMs)),
    renewedAtMs,
    version: told[version] ?? '',
    address: told[address] ?? '',
    complaint: told[health] === undefined || told[health] === healthy ? '' : told[health],
    ...(Number.isNaN(endedAtMs) ? {} : { lifeBefore: { startedAtMs: timeOf(began, endedAtMs), endedAtMs } }),
    ...(place ? { serves: { address: place[1]!, port: Number(place[2]) } } : {}),
  }
}

const timeOf = (text: unknown, otherwise: number): number => {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? otherwise : ms
}
