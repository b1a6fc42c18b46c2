// Controllers by upstream's names, as `--controllers` chooses them: `*` is all that run by default, `-name` leaves one out,
// `name` asks for one. Our queues and metrics keep upstream's names of queues, which are others.

/** Upstream's names of those of our reconcilers whose queues are named otherwise; the others only lack `-controller`. */
const upstreamNames: Readonly<Record<string, string>> = {
  endpointslicemirroring: 'endpointslice-mirroring-controller',
  garbagecollector: 'garbage-collector-controller',
  horizontalpodautoscaler: 'horizontal-pod-autoscaler-controller',
  ipaddresses: 'service-cidr-controller',
  nodelifecycle: 'node-lifecycle-controller',
  noexec_taint_node: 'taint-eviction-controller',
  resource_claim: 'resourceclaim-controller',
  replicationmanager: 'replicationcontroller-controller',
  ttlcontroller: 'ttl-controller',
  vacprotection: 'volumeattributesclass-protection-controller',
}

/** Upstream's name of a reconciler. */
export const upstreamNameOf = (reconciler: string): string => upstreamNames[reconciler] ?? `${reconciler}-controller`

/** Controllers of upstream that do not exist here: to leave one out is no mistake, to ask for one is. */
const absent: ReadonlySet<string> = new Set(
  [
    ...['device-taint-eviction', 'kube-apiserver-serving-clustertrustbundle-publisher'],
    ...['persistentvolume-attach-detach', 'persistentvolume-expander', 'podcertificaterequest-cleaner'],
    ...['podgroup-protection', 'resourcepoolstatusrequest', 'selinux-warning'],
    ...['storage-version-migrator', 'storageversion-garbage-collector'],
    // They are there when there is a key to sign with, nodes are given ranges, or there is a pool of addresses.
    ...['certificatesigningrequest-signing', 'node-ipam', 'service-lb', 'serviceaccount-token'],
  ].map((name) => `${name}-controller`),
)

/** What is wrong with a choice, in upstream's words; undefined when nothing is. */
export function choiceProblem(choice: readonly string[], reconcilers: readonly string[]): string | undefined {
  const known = reconcilers.map(upstreamNameOf)
  for (const one of choice) {
    const name = one.replace(/^-/, '')
    if (one === '*' || known.includes(name)) continue
    if (!absent.has(name)) return `"${name}" is not in the list of known controllers`
    if (!one.startsWith('-')) return `"${name}" does not exist here yet`
  }
  return undefined
}

/** Whether a reconciler runs: the last word about it counts as upstream counts it, `-name` before `*`. */
export function isChosen(reconciler: string, choice: readonly string[]): boolean {
  const name = upstreamNameOf(reconciler)
  if (choice.includes(name)) return true
  return !choice.includes(`-${name}`) && choice.includes('*')
}
