// Webhooks as configurations name them, in the order in which they are asked.
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { compileLabelSelector, type CompiledSelector } from '@shiplog/api/selectors'

export type HookType = 'admit' | 'validating'

export interface Hook {
  /** Distinct within its kind: webhooks of one configuration may share a name. */
  readonly id: string
  readonly type: HookType
  readonly configuration: string
  readonly webhook: MutatingWebhook
  readonly namespaceSelector: CompiledSelector
  readonly objectSelector: CompiledSelector
}

/** By configuration: what is compiled of one is kept as long as it stays as it is. */
const known = new WeakMap<KubeObject, readonly Hook[]>()

/** The webhooks of configurations, which come sorted by name. */
export const hooksOf = (configurations: readonly KubeObject[], type: HookType): readonly Hook[] =>
  configurations.flatMap((configuration) => {
    let hooks = known.get(configuration)
    if (!hooks) known.set(configuration, (hooks = readHooks(configuration, type)))
    return hooks
  })

function readHooks(object: KubeObject, type: HookType): readonly Hook[] {
  const { metadata, webhooks } = object as unknown as MutatingWebhookConfiguration
  const seen = new Map<string, number>()
  return (webhooks ?? []).map((webhook) => {
    const count = seen.get(webhook.name) ?? 0
    seen.set(webhook.name, count + 1)
    return {
      id: `${metadata.name}/${webhook.name}/${count}`,
      type,
      configuration: metadata.name,
      webhook,
      namespaceSelector: compileLabelSelector(webhook.namespaceSelector ?? {}),
      objectSelector: compileLabelSelector(webhook.objectSelector ?? {}),
    }
  })
}
