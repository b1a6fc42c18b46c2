import { expect, test } from 'vitest'
import { verbOf } from './resource-routes.ts'

const pod = { watch: false, name: 'a', subresource: '' }
const pods = { watch: false, name: '', subresource: '' }

test.each([
  ['GET', pods, '', 'list'],
  ['GET', pods, 'watch=true', 'watch'],
  ['GET', pods, 'watch=0', 'list'],
  ['GET', { ...pods, watch: true }, '', 'watch'],
  ['HEAD', pod, '', undefined],
  ['GET', { ...pod, subresource: 'log' }, 'watch=true', 'get'],
  ['POST', pods, '', 'create'],
  ['POST', pod, '', undefined],
  ['POST', { ...pod, subresource: 'eviction' }, '', 'create'],
  ['PUT', pods, '', undefined],
  ['PATCH', pod, '', 'patch'],
  ['DELETE', pods, '', 'deletecollection'],
  ['DELETE', pod, '', 'delete'],
  ['OPTIONS', pod, '', undefined],
])('%s %o ?%s is %s', (method, info, query, verb) => {
  expect(verbOf(method, info, new URLSearchParams(query))).toBe(verb)
})
