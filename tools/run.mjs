// Bootstrap for any Node >= 20: installs the dependencies when they are missing or stale, then runs the given
// TypeScript entry point (or, with --bin, a tool of node_modules/.bin) on the pinned Node 26, replacing this process's
// role: signals, standard streams and the exit code pass through.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const modules = join(root, 'node_modules')
// Of one platform the package has another name.
const platform = `${process.platform}-${process.arch}`
const nodePackage = platform === 'darwin-arm64' ? `node-bin-${platform}` : `node-${platform}`
export const nodeBinary = join(modules, nodePackage, 'bin', 'node')

const natsServerTimeoutMs = 180_000

/** Runs `npm ci` unless the installed tree is the one that package-lock.json describes. */
function install() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(modules, '.shiplog-lock')
  if (existsSync(nodeBinary) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  process.stderr.write('Installing dependencies (npm ci) …\n')
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (npm.status !== 0) {
    process.stderr.write(
      `npm ci failed (${npm.error?.message ?? `exit code ${npm.status}`}): the lines above say why.\n`,
    )
    process.exit(1)
  }
  if (!existsSync(nodeBinary)) {
    process.stderr.write(
      `No Node 26 for ${process.platform}-${process.arch}: package ${nodePackage} is not available.\n`,
    )
    process.exit(1)
  }
  mkdirSync(modules, { recursive: true })
  writeFileSync(stamp, lock)
  // JetStream is the log of choice: one try to have a nats-server. Without one `up` runs on the embedded log and says so.
  process.stderr.write('Providing a nats-server …\n')
  spawnSync(nodeBinary, [join(root, 'tools', 'nats-server', 'main.ts')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    timeout: natsServerTimeoutMs,
  })
}

/**
 * Room for short-lived objects: a gateway under load makes much garbage that dies at once. Measured with
 * `npm run bench -- creates`: a quarter less CPU per create than with the default of 16 MB; it grows only under load.
 */
const nodeFlags = ['--max-semi-space-size=64', ...forGivingBack()]

/**
 * Node's FFI is how libs/runtime/src/give-back-memory.ts tells glibc to give freed memory back to the system. Without it
 * everything works, and memory stays; the flag is given where the pinned Node is known to have it.
 */
function forGivingBack() {
  const known = process.platform === 'linux' && process.arch === 'x64'
  return known ? ['--experimental-ffi', '--disable-warning=ExperimentalWarning'] : []
}

/** Replaces this process as far as Node can: same streams, forwarded signals, same exit code. */
function run(argv) {
  const child = spawn(nodeBinary, argv, {
    // The fourth is a pipe that says nothing: it closes when this process is gone, however it went.
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: {
      ...process.env,
      SHIPLOG_STARTER_FD: `3 of ${process.pid}`,
      PATH: `${dirname(nodeBinary)}:${join(modules, '.bin')}:${process.env.PATH}`,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(modules, '.cache', 'node-compile'),
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`${nodeBinary}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
}

install()
const [first, ...rest] = process.argv.slice(2)
if (first === '--bin') {
  const [tool, ...args] = rest
  run([join(modules, '.bin', tool), ...args])
} else {
  run([...nodeFlags, join(root, first), ...rest])
}
