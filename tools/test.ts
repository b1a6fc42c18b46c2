// `npm test`: provides what the tests need (kubectl, helm, nats-server), runs all of them in one vitest run and ends
// with a summary. Arguments go to vitest: `npm test -- libs/api` runs a part.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { styleText } from 'node:util'
import { provideKubectl } from './kubectl/provide.ts'
import { provideNatsServer } from './nats-server/provide.ts'
import { type Report, summaryLines } from './test-summary.ts'

const root = resolve(import.meta.dirname, '..')
const reportPath = join(root, '.cache', 'test-report.json')

/** A run that takes longer is stuck: the whole default run is made to end within fifteen minutes on two cores. */
const runTimeoutMs = 35 * 60_000

const say = (line: string): void => void process.stderr.write(`${line}\n`)

async function provide(): Promise<void> {
  const { versions } = await provideKubectl()
  const second = versions.systemKubectl ? `, and ${versions.systemKubectl} of this machine` : ''
  say(`kubectl ${versions.kubectl}${second}; helm ${versions.helm}`)
  const server = await provideNatsServer({ progress: say })
  say(server ? `nats-server ${server.version} (${server.how})` : 'no nats-server: the tests on JetStream will fail')
}

function runVitest(args: readonly string[]): Promise<number> {
  rmSync(reportPath, { force: true })
  mkdirSync(join(root, '.cache'), { recursive: true })
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const child = spawn(
    process.execPath,
    [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`, ...args],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', forward)
  process.on('SIGTERM', forward)
  const watchdog = setTimeout(() => {
    say(`The tests did not end within ${runTimeoutMs / 60_000} minutes; stopping them.`)
    child.kill('SIGKILL')
  }, runTimeoutMs)
  return new Promise((settle, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => {
      clearTimeout(watchdog)
      settle(code ?? 1)
    })
  })
}

await provide()
const code = await runVitest(process.argv.slice(2))
if (existsSync(reportPath)) {
  const report = JSON.parse(readFileSync(reportPath, 'utf8')) as Report
  for (const { text, tone } of summaryLines(report, root)) {
    process.stdout.write(`${tone === 'plain' ? text : styleText(tone, text)}\n`)
  }
} else {
  say('vitest left no report: the lines above say why.')
}
process.exit(code)
