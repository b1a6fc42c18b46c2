// What an autoscaler scales: the resource of a kind that it names, and the selectors of what other autoscalers scale, so
// that no pods are counted twice.
import type { CrossVersionObjectReference, HorizontalPodAutoscaler } from '@shiplog/api/generated/types/autoscaling-v2'
import type { JsonObject } from '@shiplog/api/kube-object'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { type CompiledSelector, compileLabelMap, compileLabelSelector, parseLabelSelector } from '@shiplog/api/selectors'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'

const definitions = 'customresourcedefinitions.apiextensions.k8s.io'

/** A resource in which a kind is found. */
export interface KindResource {
  readonly group: string
  readonly resource: string
  readonly groupResource: string
  /** Of a custom resource: a version that is served. */
  readonly version?: string
}

const groupOf = (apiVersion: string | undefined): string => {
  const slash = (apiVersion ?? '').indexOf('/')
  return slash < 0 ? '' : apiVersion!.slice(0, slash)
}

const groupResourceOf = (group: string, resource: string): string => (group === '' ? resource : `${resource}.${group}`)

/** The resource of a kind, in any version; undefined when there is no such kind. */
export function resourceOfKind(
  view: ObjectView,
  { apiVersion, kind }: Pick<CrossVersionObjectReference, 'apiVersion' | 'kind'>,
): KindResource | undefined {
  const group = groupOf(apiVersion)
  const builtIn = builtInRegistry().resources.find((one) => one.group === group && one.kind === kind)
  const custom = [...view.list(definitions)].find(({ spec }) => spec.group === group && spec.names.kind === kind)
  if (builtIn) return { group, resource: builtIn.resource, groupResource: groupResourceOf(group, builtIn.resource) }
  const served = (custom?.spec.versions ?? []).filter((version) => version.served)
  const version = (served.find(({ storage }) => storage) ?? served[0])?.name
  if (!custom || version === undefined) return undefined
  const resource = custom.spec.names.plural
  return { group, version, resource, groupResource: groupResourceOf(group, resource) }
}

/** `no matches for kind "Wen" in group "apps"`. */
export const noMatch = ({ apiVersion, kind }: CrossVersionObjectReference): string =>
  `no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(groupOf(apiVersion))}`

/** The selector in a Scale; undefined when it cannot be read. */
export function readSelector(text: string): CompiledSelector | { readonly fault: string } {
  try {
    return parseLabelSelector(text)
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}

/** Which pods an autoscaler's target has, as far as the view tells. */
function selectorInView(view: ObjectView, { metadata, spec }: HorizontalPodAutoscaler): CompiledSelector | undefined {
  const target = resourceOfKind(view, spec.scaleTargetRef)
  const key = keyOf(metadata.namespace, spec.scaleTargetRef.name)
  if (!target) return undefined
  const { groupResource } = target
  switch (groupResource) {
    case 'replicationcontrollers': {
      const controller = view.get('replicationcontrollers', key)
      return controller && compileLabelMap(controller.spec.selector)
    }
    case 'deployments.apps':
    case 'replicasets.apps':
    case 'statefulsets.apps': {
      const workload = view.get(groupResource, key)
      return workload && compileLabelSelector(workload.spec.selector)
    }
    default:
      return selectorOfCustom(view, groupResource, key)
  }
}

/** The selector of a custom resource is the text that its definition says where to find. */
function selectorOfCustom(view: ObjectView, groupResource: string, key: string): CompiledSelector | undefined {
  const versions = view.get(definitions, `/${groupResource}`)?.spec.versions ?? []
  const path = versions.find(({ storage }) => storage)?.subresources?.scale?.labelSelectorPath
  const object = view.get(groupResource, key)
  if (path === undefined || object === undefined) return undefined
  const found = path
    .split('.')
    .filter((part) => part !== '')
    .reduce<unknown>((value, part) => (value as JsonObject | undefined)?.[part], object)
  const selector = typeof found === 'string' && found !== '' ? readSelector(found) : undefined
  return selector && 'matches' in selector ? selector : undefined
}

/** The autoscalers, this one among them, that scale some of these pods, by name; none when it is alone. */
export function rivals(
  view: ObjectView,
  autoscaler: HorizontalPodAutoscaler,
  pods: readonly { readonly metadata: { readonly labels?: Readonly<Record<string, string>> } }[],
): readonly string[] {
  const { namespace, name } = autoscaler.metadata
  const others = [...view.list('horizontalpodautoscalers.autoscaling', namespace)].filter((other) => {
    if (other.metadata.name === name) return false
    const selector = selectorInView(view, other)
    return selector !== undefined && pods.some(({ metadata }) => selector.matches(metadata.labels))
  })
  return others.length === 0 ? [] : [name, ...others.map(({ metadata }) => metadata.name)].sort()
}
