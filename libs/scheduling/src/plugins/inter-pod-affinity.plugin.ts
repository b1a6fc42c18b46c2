// InterPodAffinity: affinity and anti-affinity between pods, required and preferred, of the pod to be placed and of those
// that are placed already.
import type { ClusterEvent, Plugin } from '../framework/framework.ts'
import { createPodCounts } from '../counts/pod-counts.ts'
import { scoreMax } from '../framework/framework.ts'
import type { PodInfo } from '../snapshot/pod-info.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type AffinityTerm, selects } from './affinity-terms.ts'
import { AffinityClasses } from './inter-pod-affinity.classes.ts'
import { type AffinityArguments, AffinityView } from './inter-pod-affinity.view.ts'

export const defaultAffinityArguments: AffinityArguments = {
  hardPodAffinityWeight: 1,
  ignorePreferredTermsOfExistingPods: false,
}

/** The plugin with its arguments. */
export const createInterPodAffinity = (options: AffinityArguments): Plugin => ({
  name: 'InterPodAffinity',
  preFilter: (pod, snapshot) => {
    const view = new AffinityView(pod, snapshot, options)
    return view.filters ? { filter: view.filter } : undefined
  },
  preScore: (pod, snapshot) => {
    const view = new AffinityView(pod, snapshot, options)
    return view.scores ? view.score : undefined
  },
  normalize: (raw, { lowest, highest }) =>
    highest === lowest ? 0 : Math.trunc(scoreMax * ((raw - lowest) / (highest - lowest))),
  sign: (pod, snapshot) => signOf(pod, snapshot),
  classify: (pod, snapshot) => new AffinityClasses(new AffinityView(pod, snapshot, options), snapshot),
  wakes,
  wakesByLabels: true,
})

/** Which terms of others select the pod; and of its own terms, which are part of its shape, what they depend on besides. */
function signOf(pod: PodInfo, snapshot: Snapshot): string {
  const matching = snapshot.stateOf(createPodCounts).matching(pod)
  const { terms } = pod.shape
  if (terms === undefined && matching.length === 0) return ''
  const labelsOf = (namespace: string) => snapshot.objects.namespaceLabels(namespace)
  const selectsItself = terms?.required.every((term) => selects(term, pod.namespace, pod, labelsOf, false)) ?? false
  return `${terms ? `${pod.namespace} ${selectsItself}` : ''} ${matching.map(({ id }) => id).join(',')}`
}

/** Namespace selectors are taken to select every namespace here: a hint may be wrong in that direction only. */
const everywhere = () => undefined
const mightSelect = (term: AffinityTerm, home: string, pod: PodInfo): boolean =>
  term.namespaceSelector === undefined
    ? selects(term, home, pod, everywhere, true)
    : term.selector.matches(pod.labels)

/** As upstream: of required terms of affinity one pod has to be selected by all. */
const areAll = (terms: readonly AffinityTerm[], home: string, pod: PodInfo): boolean =>
  terms.length > 0 && terms.every((term) => mightSelect(term, home, pod))

function wakes(pod: PodInfo, event: ClusterEvent): boolean {
  const { required = [], requiredAnti = [] } = pod.shape.terms ?? {}
  switch (event.type) {
    case 'PodAdded':
      return areAll(required, pod.namespace, event.pod)
    case 'PodRelabelled': {
      const { before, after } = event
      if (!areAll(required, pod.namespace, before) && areAll(required, pod.namespace, after)) return true
      return requiredAnti.some(
        (term) => mightSelect(term, pod.namespace, before) && !mightSelect(term, pod.namespace, after),
      )
    }
    case 'PodFreed': {
      const theirs = event.pod.shape.terms?.requiredAnti ?? []
      return (
        requiredAnti.some((term) => mightSelect(term, pod.namespace, event.pod)) ||
        theirs.some((term) => mightSelect(term, event.pod.namespace, pod))
      )
    }
    case 'NodeAdded':
      return (
        requiredAnti.length > 0 ||
        required.length === 0 ||
        required.some(({ topologyKey }) => Object.hasOwn(event.node.labels, topologyKey))
      )
    case 'NodeUpdated':
      return event.difference.labels
    default:
      return false
  }
}
