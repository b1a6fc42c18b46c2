// Secrets that hold the token of a service account, and whose token it is.
import type { Secret, ServiceAccount } from '@shiplog/api/generated/types/core-v1'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'

export const tokenSecretType = 'kubernetes.io/service-account-token'
export const accountNameAnnotation = 'kubernetes.io/service-account.name'
export const accountUidAnnotation = 'kubernetes.io/service-account.uid'

export const isTokenSecret = (secret: Secret): boolean =>
  secret.type === tokenSecretType && Boolean(secret.metadata.annotations?.[accountNameAnnotation])

export const accountNameOf = ({ metadata }: Secret): string => metadata.annotations?.[accountNameAnnotation] ?? ''

/** The account of a token; undefined when it is not there, or is another one of the same name. */
export function accountOf(secret: Secret, view: ObjectView): ServiceAccount | undefined {
  const account = view.get('serviceaccounts', keyOf(secret.metadata.namespace, accountNameOf(secret)))
  const uid = secret.metadata.annotations?.[accountUidAnnotation]
  return account && (!uid || uid === account.metadata.uid) ? account : undefined
}

export const refersTo = ({ secrets }: ServiceAccount, name: string): boolean =>
  secrets?.some((each) => each.name === name) ?? false
