#!/usr/bin/env node
// `npx shiplog …`: the same bootstrap as `npm start`, so that any Node >= 20 will do.
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
process.argv.splice(2, 0, 'apps/cli/src/main.ts')
await import(resolve(root, 'tools/run.mjs'))
