// The client that needs nothing but this checkout, as part of the default run; all of them: `npm run conformance:clients`.
import { expect, test } from 'vitest'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import type { LogKind } from '../src/cluster.ts'
import { programs } from './program.ts'
import { runClients } from './run-clients.ts'

const here = programs.filter(({ tools }) => Object.keys(tools).length === 0)
/** Three starts of a server, on a machine that runs other tests. */
const timeoutMs = 5 * 60_000

test.each<LogKind>(['embedded', 'jetstream'])(
  'a client lists, watches, patches, applies, evicts, and informs through restarts on %s',
  async (log) => {
    const { kubectl } = await provideKubectl()
    const outcomes = await runClients({ kubectl, log, programs: here })
    expect(outcomes.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`))).toEqual([])
    expect(outcomes.map(({ name }) => name)).toEqual(['client-node'])
  },
  timeoutMs,
)
