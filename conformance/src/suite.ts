// Runs all cases against one fresh cluster, several at a time; those that touch shared things run alone, at the end.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { provideKubectl, type Tools } from '../../tools/kubectl/provide.ts'
import { allCases } from '../cases/all.ts'
import type { Case } from './case.ts'
import { type Cluster, type LogKind, startCluster } from './cluster.ts'
import { type Bench, runCase } from './context.ts'
import { createHttpClient, type HttpClient } from './http.ts'
import { readKubeconfig } from './kubeconfig.ts'

/** A case may wait for rollouts; nothing of it takes as long as this on a machine that works. */
const caseTimeoutMs = 150_000
const startTimeoutMs = 120_000

export interface Running {
  readonly cluster: Cluster
  readonly tools: Tools
  readonly http: HttpClient
  readonly directory: string
  close(): Promise<void>
}

/** A cluster with all that the suites need beside it. */
export async function startBench(log: LogKind, args: readonly string[] = []): Promise<Running> {
  const tools = await provideKubectl()
  const cluster = await startCluster({ log, args })
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-conformance-'))
  const http = createHttpClient(await readKubeconfig(tools.kubectl, cluster.kubeconfig))
  return {
    cluster,
    tools,
    http,
    directory,
    async close() {
      http.close()
      rmSync(directory, { recursive: true, force: true })
      await cluster.remove()
    },
  }
}

/** The bench of a case: with the kubectl of the package, or with the machine's own. */
export const benchOf = (running: Running, second: boolean): Bench => ({
  kubectl: second ? running.tools.systemKubectl! : running.tools.kubectl,
  helm: running.tools.helm,
  kubeconfig: running.cluster.kubeconfig,
  http: running.http,
  directory: running.directory,
  suffix: second ? '-2' : '',
})

/** Declares the tests of all cases on one log. */
export function conformanceSuite(log: LogKind): void {
  describe(`kubectl and helm against a cluster on the ${log} log`, () => {
    const running = benchForTests(log)
    declareCases(allCases, running)
  })
}

/** A cluster for the tests of this block; what is returned gives it once they run. */
export function benchForTests(log: LogKind, args: readonly string[] = []): () => Running {
  let running: Running | undefined
  beforeAll(async () => {
    running = await startBench(log, args)
  }, startTimeoutMs)
  afterAll(async () => {
    await running?.close()
  }, startTimeoutMs)
  return () => running!
}

/** Declares a test for each case. */
export function declareCases(cases: readonly Case[], bench: () => Running): void {
  const declare = (given: Case, second: boolean): void => {
    const run = given.alone ? test : test.concurrent
    run(
      `${given.id} [${given.rows.join(' ')}]${second ? ' with the machine’s own kubectl' : ''}`,
      { timeout: caseTimeoutMs },
      async (context) => {
        const running = bench()
        if (second && running.tools.systemKubectl === undefined) {
          context.skip('this machine has no kubectl of another version')
          return
        }
        await runCase(given, benchOf(running, second))
      },
    )
  }
  for (const given of cases.filter((one) => !one.alone)) {
    declare(given, false)
    if (given.bothVersions) declare(given, true)
  }
  for (const given of cases.filter((one) => one.alone)) declare(given, false)
}
