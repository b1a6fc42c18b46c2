// The address at which an Ingress is served, in its status: written where it is missing, taken back from one that is ours no
// longer. Several replicas are given the same addresses; when they are not, each waits longer before it writes again.
import type { Ingress, IngressClass } from '@shiplog/api/generated/types/networking-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { type Command, forResource, type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOf, keyOfObject, viewIndex } from '@shiplog/reconcile/view'
import { classNameOf, isOurClass } from './model/ingress-class.ts'

const ingresses = 'ingresses.networking.k8s.io'
const classes = 'ingressclasses.networking.k8s.io'
/** Between two writes of one Ingress, doubled with each that somebody undid. */
const pauseMsMin = 1_000
const pauseMsMax = 300_000
/** What was right for so long begins anew. */
const calmMs = 600_000

const byClass = viewIndex(ingresses, 'ingresses by class', (ingress) => classNameOf(ingress as Ingress) ?? [])

interface Written {
  readonly atMs: number
  readonly pauseMs: number
}

/** `addresses`: of IP, or names of hosts. */
export function createIngressStatusReconciler(addresses: readonly string[]): Reconciler {
  const wanted = addresses.map((address) => (/^[0-9.]+$|:/.test(address) ? { ip: address } : { hostname: address }))
  const isRight = ({ status }: Ingress): boolean => {
    const present = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname)
    return present.length === addresses.length && present.every((one, index) => one === addresses[index])
  }
  return {
    name: 'ingress-status',
    component: 'ingress-controller',
    indexes: [byClass],
    resources: [
      forResource(ingresses),
      watchesResource(classes, ({ name }, _before, view) => [...view.byIndex(byClass, name)].map((one) => keyOfObject(one))),
    ],
    reconcile(key, view, { nowMs, memory }) {
      const ingress = view.get(ingresses, key) as Ingress | undefined
      if (!ingress) return settled
      const named = view.get(classes, keyOf('', classNameOf(ingress) ?? '')) as IngressClass | undefined
      if (!isOurClass(named)) return isRight(ingress) ? { commands: [write(ingress, null)] } : settled
      const before = memory as Written | undefined
      if (isRight(ingress)) return { memory }
      const waitMs = before === undefined ? 0 : before.atMs + before.pauseMs - nowMs
      if (waitMs > 0) return { requeueAfterMs: waitMs, memory }
      const isCalm = before === undefined || nowMs - before.atMs > calmMs
      const written: Written = { atMs: nowMs, pauseMs: isCalm ? pauseMsMin : Math.min(pauseMsMax, before.pauseMs * 2) }
      return { commands: [write(ingress, wanted)], memory: { ...written } }
    },
  }
}

function write({ metadata }: Ingress, ingress: readonly object[] | null): Command {
  const { name, namespace = '', uid, resourceVersion } = metadata
  const body = { metadata: { uid, resourceVersion }, status: { loadBalancer: { ingress } } } as JsonObject
  const patch = { verb: 'patch', patchType: 'application/merge-patch+json', subresource: 'status' } as const
  return { request: { ...patch, group: 'networking.k8s.io', resource: 'ingresses', namespace, name, body } }
}
