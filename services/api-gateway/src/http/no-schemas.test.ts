import { createRequire } from 'node:module'
import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { noSchemas } from './no-schemas.ts'

test('a server without schemas answers, and loads no compiler for them', async () => {
  const server = Fastify({ schemaController: noSchemas })
  server.get('/', async () => 'fine')
  expect((await server.inject('/')).body).toBe('fine')
  const { cache } = createRequire(import.meta.url)
  const loaded = Object.keys(cache).filter((file) => /node_modules\/(ajv\/dist\/ajv|fast-json-stringify\/index)\.js$/.test(file))
  expect(loaded).toEqual([])
})

test('a route that declares a schema does not start', async () => {
  const server = Fastify({ schemaController: noSchemas })
  server.post('/', { schema: { body: { type: 'object' } } }, async () => 'fine')
  await expect(server.ready()).rejects.toThrow('declare no schemas')
})
