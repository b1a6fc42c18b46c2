// Pods need a service account. The controllers make `default` in every namespace, a moment after the start.
import { openConnection, post } from './api-connection.ts'
import type { Credentials } from './credentials.ts'

/** Makes sure that pods can be created in the namespace `default` now. */
export async function ensureServiceAccount(credentials: Credentials): Promise<void> {
  const connection = await openConnection(credentials)
  try {
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } })
    const code = await connection.exchange(post(credentials, '/api/v1/namespaces/default/serviceaccounts', body))
    if (code !== 201 && code !== 409) throw new Error(`the service account was answered with ${code}`)
  } finally {
    connection.close()
  }
}
