// Starts a program of envtest/bin: from its bundle where that was made from the files as they are, else from the files
// themselves. A test suite starts them often, and half of the start would be finding and reading a thousand modules.
const { readFileSync, statSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

const root = join(__dirname, '..', '..')
/** Made by build.mjs. */
const bundles = join(root, 'node_modules', '.cache', 'envtest')

/** Whether every file that the bundles were made from is the one that it was. */
function isFresh() {
  try {
    const manifest = JSON.parse(readFileSync(join(bundles, 'manifest.json'), 'utf8'))
    return manifest.files.every(([path, size, mtimeMs]) => {
      const stat = statSync(join(root, path), { throwIfNoEntry: false })
      return stat !== undefined && stat.size === size && stat.mtimeMs === mtimeMs
    })
  } catch {
    return false
  }
}

const [program] = process.argv.splice(2, 1)
if (isFresh()) require(join(bundles, `${program}.cjs`))
else import(pathToFileURL(join(root, 'apps', 'cli', 'src', 'envtest', `${program}.ts`)).href)
