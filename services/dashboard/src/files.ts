// The dashboard's built files. They lie beside a bundle that was made for images; in a checkout they are built from the
// sources when somebody first wants them, in some seconds and without a network, and kept in its cache by their hash.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const workspace = resolve(import.meta.dirname, '..')
const cache = resolve(workspace, '..', '..', '.cache', 'dashboard')
/** What the built files depend on, beside the installed packages. */
const sources = ['app', 'src', 'index.html', 'package.json']
/** In a bundle: beside its entries, or above its chunks. */
const builtBeside = ['dashboard', '../dashboard'].map((place) => resolve(import.meta.dirname, place))

let providing: Promise<string> | undefined

/** Gives the directory; those who ask at the same time wait for one build. */
export function provideDashboard(): Promise<string> {
  providing ??= provide().catch((error: unknown) => {
    providing = undefined
    throw error
  })
  return providing
}

async function provide(): Promise<string> {
  const built = builtBeside.find((place) => existsSync(join(place, 'assets')))
  if (built) return built
  const directory = join(cache, await hashOfSources())
  if (existsSync(join(directory, 'index.html'))) return directory
  await mkdir(cache, { recursive: true })
  const fresh = await mkdtemp(join(cache, 'build-'))
  try {
    await runBuild(fresh)
    // Another process may have been faster: its files are the same.
    await rename(fresh, directory).catch((error: unknown) => {
      if (!existsSync(join(directory, 'index.html'))) throw error
    })
    return directory
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

async function hashOfSources(): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) {
    const path = join(workspace, source)
    const isFile = /\.\w+$/.test(source)
    const names = isFile ? [''] : (await readdir(path, { recursive: true })).sort()
    for (const name of names) {
      if (!isFile && !/\.\w+$/.test(name)) continue
      hash.update(`${source}/${name}\0`).update(await readFile(join(path, name)))
    }
  }
  return hash.digest('hex').slice(0, 20)
}

/** In a process of its own, which yields to everything else: the cluster's event loop is not for this. */
function runBuild(directory: string): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'build.ts'), directory], {
    cwd: workspace,
    // Whoever wants it first: a test's own mode would make a page for developers, and it is kept.
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-4_000)))
  return new Promise((settle, reject) => {
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? settle() : reject(new Error(`the build of the dashboard failed: ${said.trim()}`))))
  })
}
