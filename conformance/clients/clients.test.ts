// The clients of other languages that need nothing built, as part of the default run; all of them:
// `npm run conformance:clients`.
import { expect, test } from 'vitest'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import type { LogKind } from '../src/cluster.ts'
import { missingTools, programs } from './program.ts'
import { runClients } from './run-clients.ts'

const light = programs.filter(({ name }) => name === 'client-node' || name === 'python')
const here = light.filter((program) => missingTools(program).length === 0)
/** Two restarts, and a first time the packages of Python. */
const timeoutMs = 6 * 60_000

test.each<LogKind>(['embedded', 'jetstream'])(
  'clients list, watch, patch, apply, evict, and inform through restarts on %s',
  async (log) => {
    const { kubectl } = await provideKubectl()
    const outcomes = await runClients({ kubectl, log, programs: here })
    expect(outcomes.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`))).toEqual([])
    expect(outcomes.map(({ name }) => name).sort()).toEqual(here.map(({ name }) => name).sort())
  },
  timeoutMs,
)
