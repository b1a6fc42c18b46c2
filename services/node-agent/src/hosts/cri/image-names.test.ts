import { describe, expect, test } from 'vitest'
import { credentialsFor, imageNameOf, pullPolicyOf } from './image-names.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('the full name of an image', () => {
  test.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.29', 'docker.io/library/nginx:1.29'],
    ['team/app', 'docker.io/team/app:latest'],
    ['docker.io/nginx:1', 'docker.io/library/nginx:1'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['localhost/app:2', 'localhost/app:2'],
    ['ghcr.io/a/b/c:x', 'ghcr.io/a/b/c:x'],
    [`quay.io/a/b@${digest}`, `quay.io/a/b@${digest}`],
    [`quay.io/a/b:1@${digest}`, `quay.io/a/b:1@${digest}`],
    ['Not A Name', undefined],
    ['UPPER/case', 'UPPER/case:latest'],
    ['docker.io/UPPER', undefined],
    ['a:b:c', undefined],
    ['', undefined],
  ])('%s: %s', (image, expected) => expect(imageNameOf(image)).toBe(expected))
})

test.each([
  ['nginx', undefined, 'Always'],
  ['nginx:latest', undefined, 'Always'],
  ['nginx:1', undefined, 'IfNotPresent'],
  [`nginx@${digest}`, undefined, 'IfNotPresent'],
  ['nginx', 'Never', 'Never'],
])('%s, asked for %s, is pulled %s', (image, asked, expected) => expect(pullPolicyOf(image, asked)).toBe(expected))

describe('credentials', () => {
  const secret = (auths: object) => ({ data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') } })
  const auth = Buffer.from('joe:se:cret').toString('base64')

  test('are those of the registry, the most exact ones first', () => {
    const secrets = [secret({ 'ghcr.io': { username: 'all', password: 'a' }, 'https://ghcr.io/team/': { auth } }), secret({ 'quay.io': { auth } })]
    expect(credentialsFor('ghcr.io/team/app:1', secrets)).toEqual([{ username: 'joe', password: 'se:cret' }, { username: 'all', password: 'a' }])
    expect(credentialsFor('ghcr.io/other/app:1', secrets)).toEqual([{ username: 'all', password: 'a' }])
    expect(credentialsFor('example.org/app:1', secrets)).toEqual([])
  })

  test('of the hub go by its old name, those of a wildcard by one part', () => {
    expect(credentialsFor('nginx', [secret({ 'https://index.docker.io/v1/': { auth } })])).toHaveLength(1)
    expect(credentialsFor('a.reg.example/x:1', [secret({ '*.reg.example': { auth } })])).toHaveLength(1)
    expect(credentialsFor('a.b.reg.example/x:1', [secret({ '*.reg.example': { auth } })])).toEqual([])
  })

  test('that nobody can read are none', () => {
    expect(credentialsFor('nginx', [{ data: { '.dockerconfigjson': 'bm90IGpzb24=' } }, {}])).toEqual([])
  })
})
