// The door to the language of rules: some twenty modules and a parser, read with the first rule that anybody writes.
// (infra/bundle.mjs puts an import in this file's place: a bundle has no files to read late.)
import { createRequire } from 'node:module'

type Engine = typeof import('./engine.ts')

let engine: Engine | undefined

export const expressions = (): Engine => (engine ??= createRequire(import.meta.url)('./engine.ts') as Engine)
