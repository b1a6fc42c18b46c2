// No route of the gateway declares a JSON schema: bodies are decoded with upstream's sentences (request-body.ts). Without
// this, Fastify loads its compilers for them, ajv and fast-json-stringify, 150 modules and 120 ms of CPU at every start.
import type { FastifyServerOptions } from 'fastify'

const refuse = (): never => {
  throw new Error('Routes of the gateway declare no schemas')
}

export const noSchemas: NonNullable<FastifyServerOptions['schemaController']> = {
  compilersFactory: { buildValidator: () => refuse, buildSerializer: () => refuse },
}
