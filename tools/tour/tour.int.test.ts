// The tour as a reader takes it: every command of README.md and of the pages below docs/ is run, in order, by a bash in a
// checkout of its own, on the cluster that `npm start` starts there; what is printed must be what the page shows. Only the
// port is another (SHIPLOG_PORT), so that this can run beside other clusters.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { provideKubectl } from '../kubectl/provide.ts'
import { provideNatsServer } from '../nats-server/provide.ts'
import { type ConsoleCommand, consoleBlocks } from './console-blocks.ts'
import { differenceOf } from './same-output.ts'
import { openTerminal, type Staying, type Terminal } from './terminal.ts'

const commandTimeoutMs = 60_000
const setUpTimeoutMs = 180_000
const stopTimeoutMs = 20_000
const lookMs = 50

vi.setConfig({ testTimeout: commandTimeoutMs + stopTimeoutMs + 5_000, hookTimeout: setUpTimeoutMs })

const root = resolve(import.meta.dirname, '../..')
/** The pages, in the order in which they are read. */
const pages = ['README.md', 'docs/time-travel.md', 'docs/sql.md'] as const

let checkout = ''
let terminal: Terminal
let cluster: Staying | undefined

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
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

beforeAll(async () => {
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
}, setUpTimeoutMs)

afterAll(async () => {
  cluster?.interrupt()
  await Promise.race([cluster?.ended, new Promise((done) => setTimeout(done, stopTimeoutMs))])
  await terminal?.[Symbol.asyncDispose]()
  if (checkout !== '') rmSync(dirname(checkout), { recursive: true, force: true })
})

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
  if (command.endsByCtrlC || command.text.startsWith('npm start')) {
    const staying = terminal.begin(command.text)
    const isCluster = command.text.startsWith('npm start')
    if (isCluster) cluster = staying
    await settled(staying, command.printed, isCluster ? /Shiplog is ready/ : /\n/)
    if (!command.endsByCtrlC) return
    staying.interrupt()
    const late = new Promise<'late'>((done) => setTimeout(() => done('late'), stopTimeoutMs))
    expect(await Promise.race([staying.ended, late])).not.toBe('late')
    return
  }
  const { output, code } = await terminal.run(command.text, commandTimeoutMs)
  expect(code, output).toBe(command.exitCode)
  if (command.printed.length === 0) return
  const difference = differenceOf(command.printed, output.split('\n'))
  if (difference !== undefined) throw new Error(`${difference}\nall that was printed:\n${output}`)
}

// A command that failed once has left its mark: a second try would say nothing.
describe.each(pages)('%s', { retry: 0 }, (page) => {
  const blocks = consoleBlocks(readFileSync(join(root, page), 'utf8'))
  const commands = blocks.filter(({ notRun }) => notRun === undefined).flatMap((block) => block.commands)

  if (page !== 'README.md') {
    beforeAll(async () => {
      cluster = terminal.begin('npm start')
      await settled(cluster, [], /SQL: postgres:/)
      await terminal.run('export KUBECONFIG=$PWD/.shiplog/kubeconfig', commandTimeoutMs)
    })
    afterAll(async () => {
      cluster?.interrupt()
      await cluster?.ended
    })
  }

  test.each(
    commands.map((command) => [`line ${command.line}: ${command.text.split('\n')[0]}`, command] as const),
  )('%s', async (_name, command) => perform(command))
})
