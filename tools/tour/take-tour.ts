// Pages as a reader takes them: every command is run, in order, by a bash in a checkout of its own, on the clusters that
// `npm start` and `npx shiplog apart` start there; what is printed must be what the page shows. Only the port is another
// (SHIPLOG_PORT), so that this can run beside other clusters.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { provideKubectl } from '../kubectl/provide.ts'
import { provideNatsServer } from '../nats-server/provide.ts'
import { type ConsoleCommand, consoleBlocks } from './console-blocks.ts'
import { differenceOf } from './same-output.ts'
import { openTerminal, type Staying, type Terminal } from './terminal.ts'

const commandTimeoutMs = 60_000
/** How long a command that only looks is repeated until it shows what the page shows. */
const lookAgainMs = 20_000
const setUpTimeoutMs = 180_000
const stopTimeoutMs = 20_000
const lookMs = 50

const root = resolve(import.meta.dirname, '../..')
/** Commands that stay, and are a cluster. */
const startsCluster = (command: ConsoleCommand): boolean => /^(npm start|npx shiplog (up|apart))\b/.test(command.text)

let checkout = ''
let terminal: Terminal
let cluster: Staying | undefined

/** Not one of those that systems give to outgoing connections: it must be free whenever a cluster starts. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer()
    const free = await new Promise<boolean>((done) => {
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => done(true))
    })
    if (!free) continue
    await new Promise((done) => server.close(done))
    return port
  }
}

/** The bootstrap would run `npm ci` beside the tests that run already. */
function expectInstalled(): void {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(root, 'node_modules/.shiplog-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  throw new Error('the dependencies are not those of package-lock.json, by the word of the bootstrap: run `npm test`')
}

/** A folder that is the checkout by links, with a data directory of its own. */
function makeCheckout(): string {
  const place = join(mkdtempSync(join(tmpdir(), 'shiplog-tour-')), 'shiplog')
  mkdirSync(place)
  for (const entry of readdirSync(root)) {
    if (entry !== '.git' && entry !== '.shiplog') symlinkSync(join(root, entry), join(place, entry))
  }
  return place
}

async function open(): Promise<void> {
  expectInstalled()
  const tools = await provideKubectl()
  if (!(await provideNatsServer({}))) throw new Error('the tour needs a nats-server')
  checkout = makeCheckout()
  const home = join(checkout, '..', 'home')
  mkdirSync(home)
  // What a reader's shell has: no settings of the test run, kubectl and helm first.
  const env: NodeJS.ProcessEnv = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SHIPLOG_|VITEST|NODE_|npm_|KUBECONFIG$|CI$)/.test(name)),
  )
  terminal = openTerminal({
    directory: checkout,
    env: {
      ...env,
      PATH: [dirname(tools.kubectl), env['PATH']].join(delimiter),
      HOME: home,
      SHIPLOG_PORT: String(await freePort()),
    },
  })
}

/** Ctrl-C, and what comes of it. */
async function end(staying: Staying | undefined): Promise<void> {
  if (staying === cluster) cluster = undefined
  staying?.interrupt()
  const late = new Promise<'late'>((done) => setTimeout(() => done('late'), stopTimeoutMs))
  expect(await Promise.race([staying?.ended, late])).not.toBe('late')
}

async function close(): Promise<void> {
  await end(cluster).finally(() => terminal?.[Symbol.asyncDispose]())
  if (checkout !== '') rmSync(dirname(checkout), { recursive: true, force: true })
}

/** Waits until a command that stays has printed what the page shows, or `enough` when the page shows nothing. */
async function settled(staying: Staying, printed: readonly string[], enough: RegExp): Promise<void> {
  const end = performance.now() + commandTimeoutMs
  let code: number | undefined
  void staying.ended.then((given) => (code = given))
  for (;;) {
    const output = staying.output()
    const difference = printed.length === 0 ? !enough.test(output) : differenceOf(printed, output.split('\n'))
    if (difference === undefined || difference === false) return
    if (code !== undefined || performance.now() > end) {
      throw new Error(
        `${difference}\nall that was printed:\n${output}${code === undefined ? '' : `ended with ${code}`}`,
      )
    }
    await new Promise((done) => setTimeout(done, lookMs))
  }
}

async function perform(command: ConsoleCommand): Promise<void> {
  const isCluster = startsCluster(command)
  if (command.endsByCtrlC || isCluster) {
    if (isCluster) await end(cluster)
    const staying = terminal.begin(command.text)
    if (isCluster) cluster = staying
    await settled(staying, command.printed, isCluster ? /Shiplog is ready/ : /\n/)
    if (command.endsByCtrlC) await end(staying)
    return
  }
  const untilMs = performance.now() + lookAgainMs
  for (;;) {
    const { output, code } = await terminal.run(command.text, commandTimeoutMs)
    expect(code, output).toBe(command.exitCode)
    if (command.printed.length === 0) return
    const difference = differenceOf(command.printed, output.split('\n'))
    if (difference === undefined) return
    // A test reads faster than people do: what only looks at the cluster may look again.
    if (!command.text.startsWith('kubectl get ') || performance.now() > untilMs) {
      throw new Error(`${difference}\nall that was printed:\n${output}`)
    }
    await new Promise((done) => setTimeout(done, lookMs))
  }
}

/** Declares the tests of these pages: one a command, in the order in which they are read. */
export function takeTour(pages: readonly string[]): void {
  vi.setConfig({ testTimeout: commandTimeoutMs + stopTimeoutMs + 5_000, hookTimeout: setUpTimeoutMs })
  beforeAll(open)
  afterAll(close)

  // A command that failed once has left its mark: a second try would say nothing.
  describe.each(pages)('%s', { retry: 0 }, (page) => {
    const blocks = consoleBlocks(readFileSync(join(root, page), 'utf8'))
    const commands = blocks.filter(({ notRun }) => notRun === undefined).flatMap((block) => block.commands)

    beforeAll(async () => {
      if (commands[0] === undefined || startsCluster(commands[0])) return
      cluster = terminal.begin('npm start')
      await settled(cluster, [], /SQL: postgres:/)
      await terminal.run('export KUBECONFIG=$PWD/.shiplog/kubeconfig', commandTimeoutMs)
    })
    afterAll(() => end(cluster))

    test.each(
      commands.map((command) => [`line ${command.line}: ${command.text.split('\n')[0]}`, command] as const),
    )('%s', async (_name, command) => perform(command))
  })
}
