// Writes the one description of all built-in kinds (libs/api/src/generated): field names, types, required and texts come
// from the models of the official client package, paths and verbs from its API classes, and what these lack (definition
// names, enums, merge rules, protobuf numbers, short names, storage) from the tables in ./facts. The result is checked in,
// so that a change of version shows in review; a test generates again and compares.
import { mkdirSync, writeFileSync } from 'node:fs'
import { generate } from './generate.ts'

const output = new URL('../../libs/api/src/generated/', import.meta.url)
const generated = await generate()
writeFileSync(new URL('kinds.json', output), generated.kinds)
writeFileSync(new URL('descriptions.json', output), generated.descriptions)
mkdirSync(new URL('types/', output), { recursive: true })
for (const [name, text] of generated.types) writeFileSync(new URL(`types/${name}`, output), text)
process.stderr.write(
  `${generated.definitionCount} definitions, ${generated.resourceCount} resources, ` +
    `kinds ${generated.kinds.length} bytes, descriptions ${generated.descriptions.length} bytes\n`,
)
