// Pods from templates: what ReplicaSets, Jobs and their like have in common when they make a child.
import type { PodSpec, PodTemplateSpec } from '@shiplog/api/generated/types/core-v1'
import { cloneJson } from '@shiplog/api/clone-json'
import type { KubeObject, ObjectMeta } from '@shiplog/api/kube-object'
import { controllerReference } from './ownership.ts'

/** A pod as it is sent to be created: what the server adds is missing. */
export interface NewPod {
  apiVersion: 'v1'
  kind: 'Pod'
  metadata: Omit<ObjectMeta, 'uid' | 'creationTimestamp'>
  spec: PodSpec
}

/** A pod from a template, as upstream's controllers make it. */
export function podFromTemplate(owner: KubeObject, template: PodTemplateSpec, name: string): NewPod {
  const meta = template.metadata ?? {}
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace!,
      ...(meta.labels ? { labels: { ...meta.labels } } : {}),
      ...(meta.annotations ? { annotations: { ...meta.annotations } } : {}),
      ...(meta.finalizers ? { finalizers: [...meta.finalizers] } : {}),
      ownerReferences: [controllerReference(owner)],
    },
    spec: cloneJson(template.spec),
  }
}
