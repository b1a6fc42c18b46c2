// ServiceAccounts: identities for pods. Nothing is defaulted and nothing is immutable.
import type { ServiceAccount } from '@shiplog/api/generated/types/core-v1'
import type { Draft } from '@shiplog/api/decoded'
import type { Strategy } from '../strategy.ts'

const mountableAnnotation = 'kubernetes.io/enforce-mountable-secrets'

/** Of a secret that an account may use only the name counts. */
const keepNames = (draft: Draft<ServiceAccount>): void => {
  if (draft.secrets) draft.secrets = draft.secrets.map(({ name }) => ({ name }))
}

export const serviceAccountStrategy: Strategy<ServiceAccount> = {
  hasGeneration: false,
  prepareForCreate: keepNames,
  prepareForUpdate: keepNames,
  returnsDeleted: true,
  warnings: ({ metadata }, before) =>
    before?.metadata.annotations?.[mountableAnnotation] === undefined &&
    metadata.annotations?.[mountableAnnotation] !== undefined
      ? [
          `metadata.annotations[${mountableAnnotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
      : [],
}
