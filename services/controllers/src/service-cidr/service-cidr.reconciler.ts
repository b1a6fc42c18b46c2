// Service ranges: a ServiceCIDR is Ready and protected by a finalizer, and goes only when no address would be left without a
// range. The addresses that Services have are shown as IPAddress objects: which are taken is decided when a Service is written
// (libs/domain/src/service), so these follow it, as those that upstream's API server makes.
import type { IPAddress, ServiceCIDR } from '@shiplog/api/generated/types/networking-v1'
import type { Service } from '@shiplog/api/generated/types/core-v1'
import { canonicalIp, familyOfIp, type IpAddress, type IpRange, isInRange, parseIp, parseIpRange } from '@shiplog/api/ip-address'
import {
  type Command,
  type ReconcileContext,
  type Reconciler,
  type ReconcileResult,
  settled,
  watchesResource,
} from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView, viewIndex } from '@shiplog/reconcile/view'
import { findCondition, setCondition } from '../shared/conditions.ts'
import { isBeingDeleted } from '../shared/ownership.ts'

const ranges = 'servicecidrs.networking.k8s.io'
const addresses = 'ipaddresses.networking.k8s.io'
const networking = 'networking.k8s.io'
const finalizer = 'networking.k8s.io/service-cidr-finalizer'
const managedBy = 'ipaddress.kubernetes.io/managed-by'
const familyLabel = 'ipaddress.kubernetes.io/ip-family'
const allocator = 'ipallocator.k8s.io'
/** A range that goes stays so long: who chooses addresses has seen by then that it does. */
const deletionGraceMs = 10_000
/** Keys of addresses begin so; other keys are ranges. */
const addressPrefix = 'address '

const addressesOf = ({ spec }: Service): string[] =>
  (spec.clusterIPs ?? []).filter((address) => address !== '' && address !== 'None').map(canonicalIp)

const servicesByAddress = viewIndex('services', 'services by cluster IP', addressesOf)

const isAllocated = ({ metadata }: IPAddress): boolean => metadata.labels?.[managedBy] === allocator

export const serviceCidrReconciler: Reconciler = {
  name: 'ipaddresses',
  component: 'service-cidr-controller',
  indexes: [servicesByAddress],
  resources: [
    // Whether one may go depends on the others.
    watchesResource(ranges, (_change, _before, view) => [...view.list(ranges)].map((one) => keyOfObject(one))),
    watchesResource(addresses, (change, _before, view) => {
      const waiting = [...view.list(ranges)].filter(isBeingDeleted).map((one) => keyOfObject(one))
      return [addressPrefix + change.name, ...waiting]
    }),
    watchesResource('services', (change, before) =>
      [change.object, ...(before ? [before] : [])].flatMap(addressesOf).map((address) => addressPrefix + address),
    ),
  ],
  reconcile: (key, view, context) =>
    key.startsWith(addressPrefix)
      ? reconcileAddress(key.slice(addressPrefix.length), view)
      : reconcileRange(key, view, context),
}

function reconcileRange(key: string, view: ObjectView, { nowMs }: ReconcileContext): ReconcileResult {
  const range = view.get(ranges, key)
  if (!range) return settled
  const isProtected = range.metadata.finalizers?.includes(finalizer) ?? false
  if (!isBeingDeleted(range)) {
    if (!isProtected) return { commands: [writeFinalizers(range, [...(range.metadata.finalizers ?? []), finalizer])] }
    return writeReady(range, { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' }, nowMs)
  }
  if (!isProtected) return settled
  if (orphans(range, view)) {
    const message = 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR'
    return writeReady(range, { status: 'False', reason: 'Terminating', message }, nowMs)
  }
  const waitMs = Date.parse(range.metadata.deletionTimestamp!) + deletionGraceMs - nowMs
  if (waitMs > 0) return { requeueAfterMs: waitMs }
  return { commands: [writeFinalizers(range, range.metadata.finalizers!.filter((one) => one !== finalizer))] }
}

const rangesOf = ({ spec }: ServiceCIDR): IpRange[] =>
  (spec.cidrs ?? []).flatMap((text) => {
    const range = parseIpRange(text)
    return range ? [range] : []
  })

/** Whether addresses would be in no range any more. */
function orphans(range: ServiceCIDR, view: ObjectView): boolean {
  const others = [...view.list(ranges)].filter(({ metadata }) => metadata.name !== range.metadata.name).flatMap(rangesOf)
  const own = rangesOf(range)
  const isCovered = (one: IpRange): boolean =>
    others.some((other) => other.bits <= one.bits && isInRange(other, { family: one.family, value: one.network }))
  if (own.every(isCovered)) return false
  const held = (list: readonly IpRange[], ip: IpAddress): boolean => list.some((one) => isInRange(one, ip))
  for (const address of view.list(addresses)) {
    const ip = isAllocated(address) ? parseIp(address.metadata.name) : undefined
    if (ip && held(own, ip) && !held(others, ip)) return true
  }
  return false
}

function writeFinalizers({ metadata }: ServiceCIDR, finalizers: readonly string[]): Command {
  const { name, uid, resourceVersion } = metadata
  const body = { metadata: { uid, resourceVersion, finalizers: finalizers.length > 0 ? [...finalizers] : null } }
  const patch = { verb: 'patch', patchType: 'application/merge-patch+json' } as const
  return { request: { ...patch, group: networking, resource: 'servicecidrs', name, body } }
}

function writeReady(
  range: ServiceCIDR,
  ready: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string },
  nowMs: number,
): ReconcileResult {
  const before = range.status?.conditions ?? []
  const found = findCondition(before, 'Ready')
  if (found?.status === ready.status && (found.reason ?? '') === ready.reason && found.message === ready.message) return settled
  const conditions = setCondition(before, { type: 'Ready', ...ready }, nowMs)
  const body = { ...range, status: { ...range.status, conditions } }
  const address = { group: networking, resource: 'servicecidrs', subresource: 'status', name: range.metadata.name }
  const message = 'The ServiceCIDR Status can not be set to Ready=True'
  return {
    commands: [
      {
        request: { verb: 'update', ...address, body },
        failureEvent: () => ({ object: range, type: 'Warning', reason: 'KubernetesServiceCIDRError', message }),
      },
    ],
  }
}

/** An address that a Service has is shown; one that it has no longer is not. */
function reconcileAddress(address: string, view: ObjectView): ReconcileResult {
  const shown = view.get(addresses, `/${address}`)
  if (shown && !isAllocated(shown)) return settled
  const [service] = view.byIndex(servicesByAddress, address)
  const parent = shown?.spec.parentRef
  const isRight =
    service !== undefined &&
    parent?.resource === 'services' &&
    parent.namespace === service.metadata.namespace &&
    parent.name === service.metadata.name
  const at = { group: networking, resource: 'ipaddresses' }
  if (shown && !isRight && !isBeingDeleted(shown)) {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: shown.metadata.uid } }
    return { commands: [{ request: { verb: 'delete', ...at, name: address, body } }] }
  }
  if (shown || !service) return settled
  const { namespace = '', name } = service.metadata
  const labels = { [managedBy]: allocator, [familyLabel]: familyOfIp(address) }
  const body = {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', metadata: { name: address, labels } },
    spec: { parentRef: { group: '', resource: 'services', namespace, name } },
  }
  return { commands: [{ request: { verb: 'create', ...at, body } }] }
}
