import { ApiError, notFound } from '@shiplog/api/status'
import { silentLogger } from '@shiplog/runtime/logger'
import { expect, test } from 'vitest'
import { statusOf } from './errors.ts'

const raw = { method: 'GET', url: '/api/v1/pods' }
const failed = (more: object) => statusOf(Object.assign(new Error('why'), more), raw, silentLogger)

test.each([
  [new ApiError(notFound({ group: '', resource: 'pods' }, 'a')), 404, 'NotFound'],
  [Object.assign(new Error('x'), { code: 'FST_ERR_CTP_BODY_TOO_LARGE' }), 413, 'RequestEntityTooLarge'],
  [Object.assign(new Error('x'), { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' }), 415, 'UnsupportedMediaType'],
])('%s is a Status %i', (error, code, reason) => {
  expect(statusOf(error, raw, silentLogger)).toMatchObject({ kind: 'Status', code, reason })
})

test('what Fastify refuses is a bad request in its words, what it does not is an internal error without any', () => {
  expect(failed({ statusCode: 400 })).toMatchObject({ code: 400, message: 'why' })
  expect(failed({})).toMatchObject({ code: 500, reason: 'InternalError' })
  expect(failed({}).message).not.toContain('why')
})
