import { describe, expect, test } from 'vitest'
import { credentialsFor, type PullSecret } from './keyring.ts'

const base64 = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64')
const secret = (auths: object, name = 's'): PullSecret => ({
  type: 'kubernetes.io/dockerconfigjson',
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  data: { '.dockerconfigjson': base64({ auths }) },
})
const users = (image: string, ...secrets: PullSecret[]): (string | undefined)[] =>
  credentialsFor(image, secrets).map(({ username }) => username)

describe('credentials of pull secrets', () => {
  test('are the name and password, or both in one field, which counts more', () => {
    const joe = secret({ 'ghcr.io': { username: 'other', password: 'x', auth: base64('joe:se:cret') } })
    expect(credentialsFor('ghcr.io/app:1', [joe])).toEqual([
      { username: 'joe', password: 'se:cret', source: { uid: 'uid-s', namespace: 'default', name: 's', credentialHash: expect.any(String) } },
    ])
    expect(users('ghcr.io/app', secret({ 'ghcr.io': { username: 'ann', password: 'p' } }))).toEqual(['ann'])
  })

  test.each([
    ['ghcr.io', 'ghcr.io/team/app:1', true],
    ['https://ghcr.io', 'ghcr.io/team/app:1', true],
    ['https://ghcr.io/v2/', 'ghcr.io/team/app:1', true],
    ['ghcr.io/v1/team', 'ghcr.io/team/app:1', true],
    ['ghcr.io/team', 'ghcr.io/team/app:1', true],
    ['ghcr.io/team/', 'ghcr.io/team/app:1', true],
    ['ghcr.io/te', 'ghcr.io/team/app:1', true],
    ['ghcr.io/other', 'ghcr.io/team/app:1', false],
    ['*.io', 'ghcr.io/team/app:1', true],
    ['*.ghcr.io', 'ghcr.io/team/app:1', false],
    ['gh?r.io', 'ghcr.io/team/app:1', true],
    ['*h*r.*', 'ghcr.io/team/app:1', true],
    ['g*x.io', 'ghcr.io/team/app:1', false],
    ['*.*.example', 'a.b.example/app', true],
    ['*.example', 'a.b.example/app', false],
    ['reg.example:5000', 'reg.example:5000/app', true],
    ['reg.example', 'reg.example:5000/app', false],
    ['reg.example:5000', 'reg.example:5001/app', false],
    ['index.docker.io', 'nginx', true],
    ['https://index.docker.io/v1/', 'team/app:2', true],
    ['docker.io', 'nginx', true],
    ['https://index.docker.io/v1/', 'quay.io/team/app', false],
    ['ghcr.io', 'Not A Name', false],
    ['gh(.io', 'ghcr.io/app', false],
  ])('of %s for %s: %s', (place, image, expected) => {
    expect(users(image, secret({ [place]: { username: 'u', password: 'p' } }))).toEqual(expected ? ['u'] : [])
  })

  test('of a part of a registry are tried before those of all of it, and of equal places in the order of the secrets', () => {
    const one = secret({ 'ghcr.io': { username: 'all' }, 'ghcr.io/team': { username: 'team' } }, 'one')
    const two = secret({ 'https://ghcr.io/': { username: 'all2' } }, 'two')
    expect(users('ghcr.io/team/app', one, two)).toEqual(['team', 'all', 'all2'])
    expect(users('nginx', secret({ 'docker.io': { username: 'named' }, 'index.docker.io': { username: 'default' } }))).toEqual(['named'])
  })

  test('are read from the old form, and from no Secret of another type', () => {
    const old: PullSecret = { type: 'kubernetes.io/dockercfg', data: { '.dockercfg': base64({ 'quay.io': { auth: base64('a:b') } }) } }
    expect(users('quay.io/x', old)).toEqual(['a'])
    expect(users('quay.io/x', { ...old, type: 'Opaque' })).toEqual([])
  })

  test('that nobody can read are none', () => {
    const broken = (text: string): PullSecret => ({ type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': text } })
    for (const text of ['bm90IGpzb24=', base64('null'), base64({ auths: 7 }), base64({ auths: { 'docker.io': null } })])
      expect(credentialsFor('nginx', [broken(text)])).toEqual([])
    expect(credentialsFor('nginx', [{ type: 'kubernetes.io/dockerconfigjson' }])).toEqual([])
  })

  test('have the same hash in every Secret that holds them', () => {
    const [a, b] = credentialsFor('a.io/x', [secret({ 'a.io': { auth: base64('u:p') } }, 'a'), secret({ 'a.io': { username: 'u', password: 'p' } }, 'b')])
    expect(a?.source?.credentialHash).toBe(b?.source?.credentialHash)
    expect(a?.source?.name).not.toBe(b?.source?.name)
  })
})
