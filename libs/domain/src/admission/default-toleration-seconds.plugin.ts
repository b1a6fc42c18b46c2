// DefaultTolerationSeconds: pods stay five minutes on a node that is gone, unless they say otherwise.
import type { Toleration } from '@shiplog/api/generated/types/core-v1'
import { type AdmissionAttributes, type AdmissionPlugin, podOf } from '../admission.ts'
import { items, section } from '../fields.ts'

const defaultSeconds = 300
const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']

const admit = (attributes: AdmissionAttributes): void => {
  const pod = podOf(attributes)
  if (!pod || (attributes.operation !== 'CREATE' && attributes.operation !== 'UPDATE')) return
  const spec = section(pod, 'spec')
  const tolerations = items(spec.tolerations)
  const missing = taints.filter(
    (key) =>
      !tolerations.some(
        (toleration) =>
          (toleration.key === key || !toleration.key) && (toleration.effect === 'NoExecute' || !toleration.effect),
      ),
  )
  if (missing.length === 0) return
  spec.tolerations = [
    ...tolerations,
    ...missing.map(
      (key): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: defaultSeconds }),
    ),
  ]
}

export const defaultTolerationSeconds: AdmissionPlugin = { name: 'DefaultTolerationSeconds', admit }
