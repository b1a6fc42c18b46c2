// Required anti-affinity over domains larger than a node, of all pods that were ever seen, also of those that still wait: another
// replica may be binding one of them at this moment. Whoever binds a pod that such a term selects takes the guard of the domain.
import { type AffinityTerm, type NamespaceLabels, selects } from '@shiplog/scheduling/plugins/affinity-terms'
import type { PodInfo } from '@shiplog/scheduling/snapshot/pod-info'

export const hostname = 'kubernetes.io/hostname'

/** How many different terms are remembered; past it those that were seen longest ago are forgotten. */
const termsMax = 1_000
/** How many kinds of pods are remembered with the keys that concern them. */
const answersMax = 10_000

interface KnownTerm {
  readonly term: AffinityTerm
  /** The namespace of the pods that have it. */
  readonly home: string
}

const noKeys: readonly string[] = []

export class KnownTerms {
  readonly #terms = new Map<string, KnownTerm>()
  readonly #answers = new Map<string, readonly string[]>()
  #namespaceVersion = -1

  note({ namespace, shape: { terms } }: PodInfo): void {
    for (const term of terms?.requiredAnti ?? []) {
      if (term.topologyKey === hostname) continue
      const key = `${namespace} ${term.topologyKey} ${term.text}`
      const isNew = !this.#terms.delete(key)
      this.#terms.set(key, { term, home: namespace })
      if (isNew) this.#answers.clear()
      if (this.#terms.size > termsMax) this.#terms.delete(this.#terms.keys().next().value!)
    }
  }

  /** The topology keys of the terms that select the pod. */
  keysFor(pod: PodInfo, labelsOf: NamespaceLabels, namespaceVersion: number): readonly string[] {
    if (this.#terms.size === 0) return noKeys
    if (this.#namespaceVersion !== namespaceVersion || this.#answers.size > answersMax) this.#answers.clear()
    this.#namespaceVersion = namespaceVersion
    let keys = this.#answers.get(pod.labelKey)
    if (keys === undefined) {
      const selecting = this.#terms.values().filter(({ term, home }) => selects(term, home, pod, labelsOf, true))
      keys = [...new Set(selecting.map(({ term }) => term.topologyKey))]
      this.#answers.set(pod.labelKey, keys)
    }
    return keys
  }
}
