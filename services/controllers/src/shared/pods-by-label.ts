// Pods by their labels, so that whoever selects some finds them without looking at the others.
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import { compileLabelSelector } from '@shiplog/api/selectors'
import { type ObjectView, viewIndex } from '@shiplog/reconcile/view'

const labelKey = (namespace: string, name: string, value: string): string => `${namespace}\n${name}=${value}`

/** Pods by each of their labels. */
export const podLabelsIndex = viewIndex('pods', 'pods by label', (pod) =>
  Object.entries(pod.metadata.labels ?? {}).map(([name, value]) => labelKey(pod.metadata.namespace ?? '', name, value)),
)

/** The pods of a namespace that have at least the rarest of these labels; all of it when there are none. */
export function podsByRarestLabel(
  view: ObjectView,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): Iterable<Pod> {
  const keys = Object.entries(labels).map(([name, value]) => labelKey(namespace, name, value))
  if (keys.length === 0) return view.list('pods', namespace)
  const count = (key: string): number => view.countIndex(podLabelsIndex, key)
  return view.byIndex(
    podLabelsIndex,
    keys.reduce((best, key) => (count(key) < count(best) ? key : best)),
  )
}

/** The pods of a namespace that a selector matches: none for no selector, all for an empty one. */
export function podsBySelector(
  view: ObjectView,
  namespace: string,
  selector: LabelSelector | undefined,
): readonly Pod[] {
  if (!selector) return []
  const { matches } = compileLabelSelector(selector)
  return [...podsByRarestLabel(view, namespace, selector.matchLabels ?? {})].filter((pod) =>
    matches(pod.metadata.labels),
  )
}
