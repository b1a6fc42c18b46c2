// Who somebody is and what they may do: tokens, certificates, roles, and asking in another's name.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { devRequest } from '@shiplog/domain/testing/certificate-requests'
import { type Any, type Case, type CaseContext, has, topic } from '../src/case.ts'

const reference = 'kubernetes.io/docs/reference/access-authn-authz'

const review = async (t: CaseContext, token: string, audiences?: string[]): Promise<Any> => {
  const spec = { token, ...(audiences ? { audiences } : {}) }
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec }
  return JSON.parse(await t.feed('create -o json -f -', body)).status
}
const claimsOf = (token: string): Any => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
const account = (name: string): Any => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } })
const request = (name: string, usages: string[]): Any => ({
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  metadata: { name },
  spec: { request: Buffer.from(devRequest).toString('base64'), signerName: 'kubernetes.io/kube-apiserver-client', usages },
})

export const identityCases: readonly Case[] = topic('identity', {
  'a-token-that-is-asked-for': {
    rows: ['D8', 'E16', 'E19'],
    source: `${reference}/service-accounts-admin#bound-service-account-tokens`,
    async run(t) {
      await t.feed('create -f -', account('app'))
      const token = (await t.k('create token app --duration 10m --audience vault')).trim()
      const { aud, exp, iat, sub } = claimsOf(token)
      assert.deepEqual([aud, exp - iat], [['vault'], 600])
      assert.equal(sub, `system:serviceaccount:${t.namespace}:app`)
      const { user, audiences } = await review(t, token, ['vault', 'other'])
      assert.deepEqual([user.username, audiences], [sub, ['vault']])
      assert.ok(user.groups.includes(`system:serviceaccounts:${t.namespace}`))
      has((await review(t, token)).error, /^token audiences \["vault"\] is invalid for the target audiences/)
      has(await t.kFails('create token app --duration 9m'), 'may not specify a duration less than 10 minutes')
      has(await t.kFails('create token nobody'), 'serviceaccounts "nobody" not found')
    },
  },
  'a-token-ends-with-what-it-is-bound-to': {
    rows: ['D8', 'E16'],
    source: `${reference}/service-accounts-admin#bound-service-account-tokens`,
    async run(t) {
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bound' } }
      await t.feed('create -f -', account('app'), secret)
      const token = (await t.k('create token app --bound-object-kind Secret --bound-object-name bound')).trim()
      assert.equal((await review(t, token)).authenticated, true)
      await t.k('delete secret bound')
      assert.equal((await review(t, token)).error, 'service account token has been invalidated')
    },
  },
  'a-token-in-a-secret': {
    rows: ['E16'],
    source: `${reference}/service-accounts-admin#manual-secret-management-for-serviceaccounts`,
    async run(t) {
      const annotations = { 'kubernetes.io/service-account.name': 'app' }
      const type = 'kubernetes.io/service-account-token'
      await t.feed('create -f -', account('app'))
      await t.feed('create -f -', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'old', annotations }, type })
      const token = await t.eventually(async () => {
        const { data } = await t.get('secret old')
        assert.ok(data?.token && data['ca.crt'] && data.namespace)
        return Buffer.from(data.token, 'base64').toString()
      })
      assert.equal((await review(t, token)).user.username, `system:serviceaccount:${t.namespace}:app`)
      await t.k('delete serviceaccount app')
      await t.eventually(async () => has(await t.kFails('get secret old'), 'not found'))
    },
  },
  'certificate-approve': {
    rows: ['D9'],
    source: `${reference}/certificate-signing-requests#approval-rejection-kubectl`,
    async run(t) {
      const name = `${t.namespace}-approved`
      await t.feed('create -f -', request(name, ['client auth']))
      has(await t.k(`get csr ${name}`), /Pending/)
      has(await t.k(`certificate approve ${name}`), `certificatesigningrequest.certificates.k8s.io/${name} approved`)
      const issued = await t.eventually(async () => {
        const { status } = await t.get(`csr ${name}`)
        assert.ok(status.certificate)
        return new X509Certificate(Buffer.from(status.certificate, 'base64'))
      })
      assert.equal(issued.subject, 'O=dev\nO=ops\nCN=joe')
      const { data } = await t.get('configmap kube-root-ca.crt')
      assert.ok(issued.verify(new X509Certificate(data['ca.crt']).publicKey))
      has(await t.k(`get csr ${name}`), /Approved,Issued/)
      await t.k(`delete csr ${name}`)
    },
  },
  'certificate-deny': {
    rows: ['D9'],
    source: `${reference}/certificate-signing-requests#approval-rejection-kubectl`,
    async run(t) {
      const [denied, unfit] = [`${t.namespace}-denied`, `${t.namespace}-unfit`]
      await t.feed('create -f -', request(denied, ['client auth']), request(unfit, ['server auth']))
      has(await t.k(`certificate deny ${denied}`), /denied/)
      has(await t.k(`get csr ${denied}`), /Denied/)
      await t.k(`certificate approve ${unfit}`)
      await t.eventually(async () => {
        const { status } = await t.get(`csr ${unfit}`)
        const failed = status.conditions.find((each: Any) => each.type === 'Failed')
        assert.equal(failed?.message, 'invalid usage for client certificate: server auth')
      })
      assert.equal((await t.get(`csr ${denied}`)).status.certificate, undefined)
      await t.k(`delete csr ${denied} ${unfit}`)
    },
  },
  'roles-say-what-somebody-may': {
    rows: ['E18', 'E20', 'E23'],
    source: `${reference}/rbac#kubectl-create-rolebinding`,
    async run(t) {
      const asJane = '--as jane --as-group dev'
      has(await t.kFails(`get pods ${asJane}`), `User "jane" cannot list resource "pods" in API group "" in the namespace`)
      await t.k('create role reader --verb get,list --resource pods --resource-name a')
      await t.k('create rolebinding dev --role reader --group dev')
      has(await t.k(`auth can-i get pods/a ${asJane}`), /^yes/)
      has((await t.kAll(`auth can-i get pods/b ${asJane}`)).stdout, /^no/)
      has(await t.k(`get pods --field-selector metadata.name=a ${asJane}`, {}), /^$/)
      has(await t.k(`auth can-i --list ${asJane}`), /^pods +\[\] +\[a\] +\[get list\]/m)
      has(await t.k(`auth whoami ${asJane} --as-uid 7 -o yaml`), /username: jane/, /uid: "7"/, /- dev/)
    },
  },
  'auth-reconcile': {
    rows: ['E20'],
    source: `${reference}/rbac#kubectl-auth-reconcile`,
    async run(t) {
      const role = (verbs: string[]): Any => ({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'reader', namespace: t.namespace },
        rules: [{ verbs, apiGroups: [''], resources: ['pods'] }],
      })
      has(await t.feed('auth reconcile -f -', role(['get'])), 'role.rbac.authorization.k8s.io/reader reconciled')
      await t.feed('auth reconcile -f -', role(['list']))
      const { rules } = await t.get('role reader')
      assert.deepEqual(rules.flatMap((rule: Any) => rule.verbs), ['get', 'list'])
    },
  },
  'nobody-hands-out-what-they-do-not-have': {
    rows: ['E21'],
    source: `${reference}/rbac#privilege-escalation-prevention-and-bootstrapping`,
    async run(t) {
      await t.k('create rolebinding adam --clusterrole admin --user adam')
      await t.k('create role own --verb get --resource pods --as adam')
      has(
        await t.kFails('create role other --verb get --resource nodes/proxy --as adam'),
        'user "adam" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:',
        '{APIGroups:[""], Resources:["nodes/proxy"], Verbs:["get"]}',
      )
      has(await t.kFails('create rolebinding x --clusterrole cluster-admin --user adam --as adam'), /not currently held/)
    },
  },
})
