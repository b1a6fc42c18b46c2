// ServiceAccounts: identities for pods. Nothing is defaulted and nothing is immutable.
import type { Strategy } from '../strategy.ts'

const mountableAnnotation = 'kubernetes.io/enforce-mountable-secrets'

export const serviceAccountStrategy: Strategy = {
  hasGeneration: false,
  returnsDeleted: true,
  warnings: ({ metadata }, before) =>
    before?.metadata.annotations?.[mountableAnnotation] === undefined &&
    metadata.annotations?.[mountableAnnotation] !== undefined
      ? [
          `metadata.annotations[${mountableAnnotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
      : [],
}
