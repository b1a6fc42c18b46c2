// Pods from templates: what ReplicaSets, Jobs and their like have in common when they make a child.
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { controllerReference } from './ownership.ts'

/** A pod from a template, as upstream's controllers make it. */
export function podFromTemplate(owner: KubeObject, template: JsonObject, name: string): JsonObject {
  const meta = (template['metadata'] ?? {}) as JsonObject
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      ...(meta['labels'] ? { labels: { ...meta['labels'] } } : {}),
      ...(meta['annotations'] ? { annotations: { ...meta['annotations'] } } : {}),
      ...(meta['finalizers'] ? { finalizers: [...meta['finalizers']] } : {}),
      ownerReferences: [controllerReference(owner)],
    },
    spec: cloneJson(template['spec'] ?? {}),
  }
}
