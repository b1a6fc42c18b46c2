// Tokens in Secrets: one of type kubernetes.io/service-account-token is filled with the token of the account that it names,
// goes when the account goes, and is taken out of the account's list when it is gone.
import type { Secret, ServiceAccount } from '@shiplog/api/generated/types/core-v1'
import type { TokenSigner } from '@shiplog/control-plane/identity/signed-token'
import { legacyTokenClaims } from '@shiplog/control-plane/identity/token-claims'
import { type ReconcileResult, type Reconciler, settled, watchesResource } from '@shiplog/reconcile/reconciler'
import { keyOf, type ObjectView } from '@shiplog/reconcile/view'
import { isBeingDeleted } from '../shared/ownership.ts'
import {
  accountNameAnnotation,
  accountNameOf,
  accountOf,
  accountUidAnnotation,
  isTokenSecret,
  refersTo,
} from './token-secret.ts'

/** A key says which secret; behind this mark, from whose list one that is gone is to be taken. */
const ofAccount = '#'

const address = (resource: 'secrets' | 'serviceaccounts', namespace: string | undefined, name: string) =>
  ({ group: '', version: 'v1', resource, namespace: namespace!, name }) as const

export function createServiceAccountTokenReconciler(signer: TokenSigner, rootCa: string): Reconciler {
  const authority = Buffer.from(rootCa).toString('base64')
  return {
    name: 'serviceaccount-token',
    component: 'serviceaccount-token-controller',
    resources: [
      watchesResource('secrets', ({ object, deleted }) => {
        if (!isTokenSecret(object)) return []
        const { namespace, name } = object.metadata
        return [`${keyOf(namespace, name)}${deleted ? `${ofAccount}${accountNameOf(object)}` : ''}`]
      }),
      watchesResource('serviceaccounts', ({ object, deleted }, before, view) =>
        deleted || !before ? tokenSecretsOf(object, view) : [],
      ),
    ],
    reconcile(key, view) {
      const [secretKey = '', account] = key.split(ofAccount)
      const secret = view.get('secrets', secretKey)
      if (!secret) return account === undefined ? settled : withoutReference(secretKey, account, view)
      if (!isTokenSecret(secret) || isBeingDeleted(secret)) return settled
      const owner = accountOf(secret, view)
      return owner ? filled(secret, owner, signer, authority) : removed(secret)
    },
  }
}

function tokenSecretsOf({ metadata }: ServiceAccount, view: ObjectView): string[] {
  return [...view.list('secrets', metadata.namespace)]
    .filter((secret) => isTokenSecret(secret) && accountNameOf(secret) === metadata.name)
    .map((secret) => keyOf(secret.metadata.namespace, secret.metadata.name))
}

function removed({ metadata: { namespace, name, uid } }: Secret): ReconcileResult {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }
  return { commands: [{ request: { verb: 'delete', ...address('secrets', namespace, name), body } }] }
}

/** The signature is another each time: what is there stays. */
function filled(secret: Secret, account: ServiceAccount, signer: TokenSigner, authority: string): ReconcileResult {
  const { metadata, data = {} } = secret
  const { namespace, name } = metadata
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const { 'ca.crt': knownAuthority, namespace: knownHome, token: knownToken } = data
  if (knownAuthority === authority && knownHome && knownToken) return settled
  const token = knownToken || base64(signer.sign(legacyTokenClaims(account, secret)))
  const home = knownHome || base64(namespace!)
  const annotations = {
    ...metadata.annotations,
    [accountNameAnnotation]: account.metadata.name,
    [accountUidAnnotation]: account.metadata.uid,
  }
  const body = {
    ...secret,
    metadata: { ...metadata, annotations },
    data: { ...data, 'ca.crt': authority, namespace: home, token },
  }
  return { commands: [{ request: { verb: 'update', ...address('secrets', namespace, name), body } }] }
}

function withoutReference(secretKey: string, accountName: string, view: ObjectView): ReconcileResult {
  const [namespace = '', name = ''] = secretKey.split('/')
  const account = view.get('serviceaccounts', keyOf(namespace, accountName))
  if (!account || isBeingDeleted(account) || !refersTo(account, name)) return settled
  const body = { ...account, secrets: account.secrets!.filter((each) => each.name !== name) }
  return { commands: [{ request: { verb: 'update', ...address('serviceaccounts', namespace, accountName), body } }] }
}
