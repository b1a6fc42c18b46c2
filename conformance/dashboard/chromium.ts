// The browser that drives the dashboard's tests and takes its pictures: Chromium of the machine, or Debian's packages,
// downloaded through a private apt directory into the checkout's cache. Nothing of the system's is touched.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { privateApt } from '@shiplog/node/private-apt'

const run = promisify(execFile)

const cacheDir = resolve(import.meta.dirname, '..', '..', '.cache', 'chromium')
const askTimeoutMs = 20_000
const unpackTimeoutMs = 120_000
const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']
/** What the machine has in a version of its own in any case: a second C library would not fit its loader. */
const ofMachine = /^(libc6|libc-bin|libgcc-s1|gcc-\d+-base)_/
const packages = ['chromium', 'fonts-inter', 'fonts-jetbrains-mono', 'fontconfig-config']

export interface Chromium {
  readonly executablePath: string
  readonly env: Readonly<Record<string, string>>
}

/** Finds or downloads it; rejects with one line that says what is missing. */
export async function provideChromium(): Promise<Chromium> {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of names) {
      const path = join(dir || '.', name)
      if (existsSync(path)) return await checked({ executablePath: path, env: {} })
    }
  const root = join(cacheDir, 'root')
  const cached = await checked(ofRoot(root)).catch(() => undefined)
  if (cached) return cached
  try {
    await fetchPackages()
    return await checked(ofRoot(root))
  } catch (cause) {
    const why = (cause instanceof Error ? cause.message : String(cause)).trim().split('\n').at(-1)
    throw new Error(`no Chromium on PATH (apt-get install chromium), and Debian's package cannot be had: ${why}`, { cause })
  }
}

function ofRoot(root: string): Chromium {
  const architecture = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
  const libraries = ['usr/lib/chromium', `usr/lib/${architecture}`, `lib/${architecture}`, `usr/lib/${architecture}/pulseaudio`]
  const fonts = join(root, 'etc', 'fonts')
  return {
    executablePath: join(root, 'usr/lib/chromium/chromium'),
    env: {
      LD_LIBRARY_PATH: libraries.map((library) => join(root, library)).join(':'),
      XDG_DATA_HOME: join(root, 'usr', 'share'),
      ...(existsSync(fonts) ? { FONTCONFIG_PATH: fonts } : {}),
    },
  }
}

async function checked(chromium: Chromium): Promise<Chromium> {
  await run(chromium.executablePath, ['--version', '--no-sandbox'], {
    timeout: askTimeoutMs,
    env: { ...process.env, ...chromium.env },
  })
  return chromium
}

async function fetchPackages(): Promise<void> {
  await mkdir(cacheDir, { recursive: true })
  const work = await mkdtemp(join(cacheDir, 'fetch-'))
  try {
    const apt = await privateApt(join(work, 'apt'))
    await apt('-q', 'update')
    await apt('-q', '-y', '-d', '--no-install-recommends', 'install', ...packages)
    const archives = join(work, 'apt', 'cache', 'archives')
    const fresh = join(work, 'root')
    for (const name of await readdir(archives))
      if (name.endsWith('.deb') && !ofMachine.test(name))
        await run('dpkg-deb', ['-x', join(archives, name), fresh], { timeout: unpackTimeoutMs })
    const final = join(cacheDir, 'root')
    await rm(final, { recursive: true, force: true })
    await rename(fresh, final)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
