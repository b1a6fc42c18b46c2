// Gives Services of type LoadBalancer addresses of a pool, where there is no cloud that would. All of it is one key, and so the
// work of one replica at a time: no address is given twice. That traffic comes to the address is the proxies' affair.
import type { Service } from '@shiplog/api/generated/types/core-v1'
import { type AddressPool, isInPool } from '@shiplog/api/address-pool'
import { parseIp } from '@shiplog/api/ip-address'
import { type Command, type EventRecord, type Reconciler, type ReconcileResult, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView } from '@shiplog/reconcile/view'
import { addressesOf, assignAddresses, type Assigned, isBalanced } from './assign-addresses.ts'

/** As upstream's service controller calls itself. */
const component = 'service-controller'
const poolKey = 'pool'

const matters = ({ spec, status }: Service): boolean =>
  spec?.type === 'LoadBalancer' || (status?.loadBalancer?.ingress ?? []).length > 0 || (spec?.externalIPs ?? []).length > 0

export const createServiceLoadBalancerReconciler = (pool: AddressPool): Reconciler => ({
  name: 'service-lb',
  component,
  resources: [
    watchesResource('services', ({ object }, before) => (matters(object) || (before && matters(before)) ? [poolKey] : [])),
  ],
  reconcile: (_key, view, { memory }) => reconcile(pool, view, (memory ?? {}) as Readonly<Record<string, string>>),
})

function reconcile(pool: AddressPool, view: ObjectView, told: Readonly<Record<string, string>>): ReconcileResult {
  const services = [...view.list('services')]
  const assigned = assignAddresses(services, pool)
  const problems = assigned.flatMap((one) => (one.problem === undefined ? [] : [[keyOfObject(one.service), one] as const]))
  return {
    commands: [...assigned.flatMap(giveAddresses), ...services.flatMap((service) => takeAddresses(service, pool))],
    // Told once, and again when it is another one.
    events: problems.flatMap(([key, one]) => (told[key] === one.problem ? [] : [failure(one)])),
    memory: Object.fromEntries(problems.map(([key, { problem }]) => [key, problem!])),
  }
}

const event = (object: Service, reason: string, message: string): EventRecord => ({ object, type: 'Normal', reason, message })

const failure = ({ service, problem }: Assigned): EventRecord => ({
  ...{ object: service, type: 'Warning', reason: 'SyncLoadBalancerFailed' },
  message: `Error syncing load balancer: failed to ensure load balancer: ${problem}`,
})

function giveAddresses({ service, addresses }: Assigned): Command[] {
  if (addressesOf(service).join() === addresses.join()) return []
  const ingress = addresses.map((ip) => ({ ip, ipMode: 'VIP' }))
  return [writeStatus(service, { ingress }, addresses.length > 0 ? event(service, 'EnsuredLoadBalancer', 'Ensured load balancer') : undefined)]
}

/** One that is no load balancer any more has no address of ours. */
function takeAddresses(service: Service, pool: AddressPool): Command[] {
  if (isBalanced(service) || service.spec?.type === 'LoadBalancer' || service.metadata.deletionTimestamp !== undefined) return []
  const isOurs = addressesOf(service).some((address) => isInPool(pool, parseIp(address)!))
  return isOurs ? [writeStatus(service, {}, event(service, 'DeletedLoadBalancer', 'Deleted load balancer'))] : []
}

function writeStatus(service: Service, loadBalancer: object, told: EventRecord | undefined): Command {
  const { namespace = '', name } = service.metadata
  const body = { ...service, status: { ...service.status, loadBalancer } }
  const request = { verb: 'update', group: '', resource: 'services', subresource: 'status', namespace, name, body } as const
  return { request, ...(told ? { event: told } : {}) }
}
