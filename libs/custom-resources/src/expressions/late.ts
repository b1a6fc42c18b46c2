// The door to the language of rules: some twenty modules and a parser, read with the first rule that anybody writes.
// (infra/bundle.mjs puts an import in this file's place: a bundle has no files to read late.)
import { createRequire } from 'node:module'
import { lateModule } from '@shiplog/cel/meter'

type Engine = typeof import('./engine.ts')

export const expressions = lateModule(
  () => createRequire(import.meta.url)('./engine.ts') as Engine,
  () => import('./engine.ts'),
)
