// The scale subresource of a custom resource: replicas and selector lie where its definition says.
import type { CustomResourceSubresourceScale } from '@shiplog/api/generated/types/apiextensions-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { section } from '../fields.ts'
import { scaleOf, wantedReplicas } from '../subresources/scale.ts'

const stepsOf = (path: string): string[] => path.replace(/^\./, '').split('.')

function valueAt(object: JsonObject, path: string): unknown {
  let value: unknown = object
  for (const step of stepsOf(path)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as JsonObject)[step]
  }
  return value
}

const numberAt = (object: JsonObject, path: string): number => Number(valueAt(object, path) ?? 0)

export const readCustomScale = (object: KubeObject, paths: CustomResourceSubresourceScale): KubeObject =>
  scaleOf(object, {
    wanted: numberAt(object, paths.specReplicasPath),
    present: numberAt(object, paths.statusReplicasPath),
    selector: paths.labelSelectorPath ? String(valueAt(object, paths.labelSelectorPath) ?? '') : '',
  })

export function writeCustomScale(
  draft: KubeObject,
  scale: JsonObject,
  paths: CustomResourceSubresourceScale,
  groupResource: string,
): void {
  const replicas = wantedReplicas(draft, scale, groupResource)
  const steps = stepsOf(paths.specReplicasPath)
  let at: JsonObject = draft
  for (const step of steps.slice(0, -1)) at = section(at, step)
  at[steps.at(-1)!] = replicas
}
