// Extenders: programs outside of the scheduler that have a say in its decisions (upstream: KubeSchedulerConfiguration.extenders).
// They are asked by the service, over HTTP. To the decision what they said is one plugin more, the last one; it is recorded with
// the decision, so that it can be computed again without them.
import type { Profile } from './configuration.ts'
import type { Plugin, Rejection } from './framework.ts'

export interface ExtenderConfiguration {
  readonly urlPrefix: string
  readonly filterVerb: string
  readonly prioritizeVerb: string
  readonly weight: number
  /** Asked only about pods that want one of these; about all when there are none. */
  readonly managedResources: readonly string[]
  /** Whether decisions are made without it when it does not answer. */
  readonly ignorable: boolean
  /** Whether it knows the nodes: then it is sent their names alone. */
  readonly nodeCacheCapable: boolean
  readonly timeoutMs: number
  readonly tls: ExtenderTls | undefined
}

export interface ExtenderTls {
  readonly insecure: boolean
  readonly serverName: string | undefined
  /** Each as PEM, or the path of a file with it. */
  readonly ca: ExtenderSecret | undefined
  readonly certificate: ExtenderSecret | undefined
  readonly key: ExtenderSecret | undefined
}

export type ExtenderSecret = { readonly pem: string } | { readonly file: string }

/** What all extenders said in one decision, about the nodes that had passed the filters. */
export interface ExtenderOpinion {
  /** Nodes that will not do, and why; '' when that was not said. Another pod's going could help. */
  readonly failed: Readonly<Record<string, string>>
  /** The same where nothing helps. */
  readonly unresolvable: Readonly<Record<string, string>>
  /** What is added to the scores of nodes, weights included; nodes that get nothing are left out. */
  readonly scores: Readonly<Record<string, number>>
}

/** Upstream's name for whoever rejected a node. */
export const extenderName = 'Extender'

/** An extender's scores go to 10, those of plugins to 100. */
export const extenderScoreFactor = 10

/** The profile as it is for one decision. */
export function withOpinion(profile: Profile, opinion: ExtenderOpinion | undefined): Profile {
  if (opinion === undefined) return profile
  const rejection = (name: string): Rejection | undefined => {
    for (const [verdicts, resolvable] of [[opinion.unresolvable, false], [opinion.failed, true]] as const) {
      if (!Object.hasOwn(verdicts, name)) continue
      const reason = verdicts[name]!
      return { reasons: reason === '' ? [] : [reason], resolvable }
    }
    return undefined
  }
  const plugin: Plugin = {
    name: extenderName,
    filter: (_pod, node) => rejection(node.name),
    score: (_pod, node) => (Object.hasOwn(opinion.scores, node.name) ? opinion.scores[node.name]! : 0),
  }
  return {
    ...profile,
    plugins: [...profile.plugins, plugin],
    byName: new Map([...profile.byName, [extenderName, plugin]]),
    active: (pod) => {
      const { filters, scorers } = profile.active(pod)
      return { filters: [...filters, plugin], scorers: [...scorers, { plugin, weight: 1 }] }
    },
  }
}
