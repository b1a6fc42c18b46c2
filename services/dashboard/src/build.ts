// Builds the dashboard's page into a directory, and packs every file beside itself, so that the gateway only sends.
//
//   node services/dashboard/src/build.ts <directory>
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { build } from 'vite'

const workspace = resolve(import.meta.dirname, '..')
const packedBytesMin = 1_024
const lowPriority = 10

const out = process.argv[2]
if (out === undefined) throw new Error('where to?')
setPriority(lowPriority)
await build({
  root: workspace,
  base: '/dashboard/',
  configFile: false,
  logLevel: 'error',
  worker: { format: 'es' },
  publicDir: false,
  build: {
    outDir: out,
    emptyOutDir: true,
    target: 'es2023',
    // Nothing is inlined: the page's policy allows files of this origin alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2_000,
  },
})
for (const entry of await readdir(out, { recursive: true, withFileTypes: true }))
  if (entry.isFile()) await pack(join(entry.parentPath, entry.name))

async function pack(path: string): Promise<void> {
  const bytes = await readFile(path)
  if (bytes.length < packedBytesMin) return
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 }
  await writeFile(`${path}.br`, await promisify(brotliCompress)(bytes, { params }))
  await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }))
}
