import { describe, expect, test } from 'vitest'
import { imageNameOf, pullPolicyOf } from './image-names.ts'

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
