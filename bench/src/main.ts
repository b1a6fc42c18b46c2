// `npm run bench`: the figures of this project on this machine, in one run. Parts run alone by name:
//
//   npm run bench                              all parts but restart, crowd, soak, replicas, secrets, peer and controllers
//   npm run bench -- creates gets              two of them
//   npm run bench -- creates --log embedded    on one log
//   npm run bench -- pods --profile            and where the server's time goes, function by function
//   npm run bench -- gets --repeat 5           medians of five rounds
//
// It prints and writes nothing. The load generators share the machine's cores with the server, and the figures say so.
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import type { LogKind } from './cluster.ts'
import type { Part } from './part.ts'
import { coldStart } from './parts/cold-start.ts'
import { controllers } from './parts/controllers.ts'
import { creates } from './parts/creates.ts'
import { crowd } from './parts/crowd.ts'
import { authorization } from './parts/authorization.ts'
import { gets } from './parts/gets.ts'
import { idle } from './parts/idle.ts'
import { lists } from './parts/lists.ts'
import { past } from './parts/past.ts'
import { peer } from './parts/peer.ts'
import { pods } from './parts/pods.ts'
import { replicas } from './parts/replicas.ts'
import { restart } from './parts/restart.ts'
import { secrets } from './parts/secrets.ts'
import { soak } from './parts/soak.ts'
import { sql } from './parts/sql.ts'
import { watches } from './parts/watches.ts'
import { table } from './report.ts'

const parts: readonly Part[] = [creates, gets, authorization, lists, past, watches, coldStart, idle, pods, sql, restart, crowd, soak, replicas, secrets, peer, controllers]
/** They take minutes (`peer` and `controllers` build upstream's programs when they run first): only when they are asked for. */
const onRequest: readonly Part[] = [restart, crowd, soak, replicas, secrets, peer, controllers]

const usage = `npm run bench -- [part …] [--log embedded|jetstream] [--repeat N] [--profile]

${parts.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join('\n')}
`

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      log: { type: 'string' },
      repeat: { type: 'string', default: '3' },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name))
  if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}`)
  if (values.log !== undefined && values.log !== 'embedded' && values.log !== 'jetstream')
    throw new Error('--log is embedded or jetstream')
  const repeat = Number(values.repeat)
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > 100) throw new Error('--repeat is a number from 1 to 100')
  const chosen =
    positionals.length === 0
      ? parts.filter((part) => !onRequest.includes(part))
      : parts.filter(({ name }) => positionals.includes(name))
  return { chosen, log: values.log as LogKind | undefined, repeat, profile: values.profile, help: values.help }
}

let given: ReturnType<typeof readArguments>
try {
  given = readArguments()
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n${usage}`)
  process.exit(2)
}
if (given.help) {
  process.stdout.write(usage)
  process.exit(0)
}

const load = (): string =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')
process.stdout.write(
  `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Node ${process.version}; ` +
    `load generators on the same cores; load average before: ${load()}\n`,
)
for (const part of given.chosen) {
  const logs: LogKind[] = given.log ? [given.log] : part.onBothLogs ? ['embedded', 'jetstream'] : ['embedded']
  const { repeat, profile } = given
  try {
    const figures = await part.run({
      logs,
      repeat,
      profile,
      progress: (line) => void process.stderr.write(`${line}\n`),
    })
    process.stdout.write(`\n${part.name}: ${part.about} (load average ${load()})\n${table(figures)}\n`)
  } catch (error) {
    process.stderr.write(`bench: ${part.name}: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exitCode = 1
  }
}
