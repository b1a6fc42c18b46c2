// What it costs a request to be authorized, with few bindings in the cluster and with 5,000, beside a look at all of them; and
// what a token of a service account costs the first time and ever after.
import { createHash, generateKeyPairSync } from 'node:crypto'
import { createAuthorizer } from '@shiplog/api-gateway/access/rbac-authorizer'
import { createRbacIndex } from '@shiplog/api-gateway/access/rbac-index'
import { identities, worldObjects } from '@shiplog/api-gateway/testing/authorization-world'
import { createFakeTables } from '@shiplog/api-gateway/testing/fake-tables'
import type { KubeObject } from '@shiplog/api/kube-object'
import { createTokenSigner, isSignedBy, parseToken } from '@shiplog/control-plane/identity/signed-token'
import { publicTokenKey } from '@shiplog/control-plane/identity/token-keys'
import type { Part } from '../part.ts'
import { monotonicMicros } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { median } from '../statistics.ts'

const bindings = 5_000
const rbac = 'rbac.authorization.k8s.io'

/** Microseconds for each of so many calls. */
function cost(calls: number, work: () => void): number {
  for (let warm = 0; warm < calls / 10; warm++) work()
  const from = monotonicMicros()
  for (let call = 0; call < calls; call++) work()
  return (monotonicMicros() - from) / calls
}

const bindingOfOthers = (number: number): KubeObject =>
  ({
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: `bench-${number}` },
    subjects: [{ kind: 'User', name: `user-${number}`, apiGroup: rbac }],
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' },
  }) as unknown as KubeObject

function decisions(more: number): { readonly indexed: () => void; readonly scanned: () => void } {
  const tables = createFakeTables([...worldObjects(), ...Array.from({ length: more }, (_, number) => bindingOfOthers(number))])
  const user = identities.find(({ name }) => name === 'victor')!
  const asked = { verb: 'get', group: '', resource: 'configmaps', subresource: '', namespace: 'team-a', name: 'c' }
  const indexed = createAuthorizer(tables.view, { grants: createRbacIndex(tables.projection) })
  const scanned = createAuthorizer(tables.view)
  return {
    indexed: () => void indexed.allows({ user, ...asked }),
    scanned: () => void scanned.allows({ user, ...asked }),
  }
}

export const authorization: Part = {
  name: 'authorization',
  about: 'authorizing a request beside 5,000 bindings of others, and verifying a token',
  async run({ repeat, progress }) {
    progress('authorization: decisions')
    const rounds = (calls: number, work: () => void): number =>
      median(Array.from({ length: repeat }, () => cost(calls, work)))
    const [few, many] = [decisions(0), decisions(bindings)]
    const withFew = rounds(20_000, few.indexed)
    const figure = (what: string, value: number, note: string): Figure => ({ what, value, unit: 'µs', better: 'lower', note })
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const token = createTokenSigner(privateKey).sign({ iss: 'bench', sub: 'x', jti: 'x'.repeat(300) })
    const keys = [publicTokenKey(privateKey)]
    return [
      figure('authorize, default bindings', withFew, 'by the index'),
      { ...figure(`authorize, ${bindings} bindings more`, rounds(20_000, many.indexed), 'by the index'), raw: withFew },
      figure(`authorize, ${bindings} bindings more, by a look at all`, rounds(100, many.scanned), 'what it would cost'),
      figure('verify a token (ES256)', rounds(500, () => void isSignedBy(parseToken(token)!, keys)), 'once'),
      figure('know a token again', rounds(5_000, () => void createHash('sha256').update(token).digest('base64')), 'each time'),
    ]
  },
}
