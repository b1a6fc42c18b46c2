// `npm run conformance:clients [-- --log jetstream] [fabric8 …]`: the clients of other languages against fresh clusters.
import { parseArgs, styleText } from 'node:util'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { provideNatsServer } from '../../tools/nats-server/provide.ts'
import type { LogKind } from '../src/cluster.ts'
import { programs } from './program.ts'
import { runClients } from './run-clients.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { log: { type: 'string', multiple: true, default: ['embedded', 'jetstream'] } },
})
const unknown = positionals.filter((name) => !programs.some((program) => program.name === name))
if (unknown.length > 0) {
  process.stderr.write(`no client is called ${unknown.join(', ')}; there are ${programs.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
const wanted = programs.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const { kubectl } = await provideKubectl()
await provideNatsServer({ progress: (line) => void process.stderr.write(`${line}\n`) })

let passed = 0
let failed = 0
for (const log of values.log as LogKind[]) {
  for (const { name, summary, faults } of await runClients({ kubectl, log, programs: wanted })) {
    if (faults.length === 0) {
      passed++
      process.stdout.write(`${styleText('green', 'ok')}     ${name} on ${log}: ${summary}\n`)
    } else {
      failed++
      process.stdout.write(`${styleText('red', 'failed')} ${name} on ${log}: ${faults.join('\n         ')}\n`)
    }
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
