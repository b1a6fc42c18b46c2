// TTL: tells kubelets by an annotation of their node how long they may keep ConfigMaps and Secrets before they ask again:
// longer in larger clusters. Upstream's boundaries overlap, so that a cluster at one of them does not go back and forth.
import { forResource, type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOfObject, type ObjectView } from '@shiplog/reconcile/view'

const annotation = 'node.alpha.kubernetes.io/ttl'

/** Clusters of so many nodes, and for how long. */
const boundaries = [
  { sizeMin: 0, sizeMax: 100, seconds: 0 },
  { sizeMin: 90, sizeMax: 500, seconds: 15 },
  { sizeMin: 450, sizeMax: 1_000, seconds: 30 },
  { sizeMin: 900, sizeMax: 2_000, seconds: 60 },
  { sizeMin: 1_800, sizeMax: Number.POSITIVE_INFINITY, seconds: 300 },
] as const

const edges: ReadonlySet<number> = new Set(boundaries.flatMap(({ sizeMin, sizeMax }) => [sizeMin - 1, sizeMax + 1]))

/** What a node is told that has been told `before`. */
export function ttlSeconds(nodes: number, before: string | undefined): number {
  const fits = boundaries.filter(({ sizeMin, sizeMax }) => sizeMin <= nodes && nodes <= sizeMax)
  return (fits.find(({ seconds }) => String(seconds) === before) ?? fits[0]!).seconds
}

const allNodes = (view: ObjectView): Iterable<string> => [...view.list('nodes')].map((node) => keyOfObject(node))

export const ttlReconciler: Reconciler = {
  name: 'ttlcontroller',
  component: 'ttl-controller',
  resources: [
    forResource('nodes'),
    watchesResource('nodes', (change, before, view) => {
      const isCountChanged = change.deleted || before === undefined
      return isCountChanged && edges.has(view.count('nodes')) ? allNodes(view) : []
    }),
  ],
  reconcile(key, view) {
    const node = view.get('nodes', key)
    if (!node) return settled
    const { name, annotations } = node.metadata
    const wanted = String(ttlSeconds(view.count('nodes'), annotations?.[annotation]))
    if (annotations?.[annotation] === wanted) return settled
    const body = { metadata: { annotations: { [annotation]: wanted } } }
    const patch = { verb: 'patch', patchType: 'application/merge-patch+json' } as const
    return { commands: [{ request: { ...patch, group: '', resource: 'nodes', name, body } }] }
  },
}
