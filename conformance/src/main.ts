// `npm run conformance -- [--log embedded|jetstream] [--kubectl system] [--kubeconfig FILE] [FILTER…]`: runs the cases
// whose ids contain a filter, against a fresh cluster or a running one, and prints each outcome as it comes.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { allCases } from '../cases/all.ts'
import { type Cluster, type LogKind, startCluster } from './cluster.ts'
import { createHttpClient } from './http.ts'
import { readKubeconfig } from './kubeconfig.ts'
import { runCases } from './run-cases.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    log: { type: 'string', default: 'embedded' },
    kubectl: { type: 'string', default: 'package' },
    kubeconfig: { type: 'string' },
    concurrency: { type: 'string', default: '5' },
    output: { type: 'boolean', default: false },
  },
})

const tools = await provideKubectl()
const cluster: Cluster | undefined = values.kubeconfig ? undefined : await startCluster({ log: values.log as LogKind })
const kubeconfig = values.kubeconfig ?? cluster!.kubeconfig
const directory = mkdtempSync(join(tmpdir(), 'shiplog-conformance-'))
const http = createHttpClient(await readKubeconfig(tools.kubectl, kubeconfig))
const cases = allCases.filter(
  (one) => positionals.length === 0 || positionals.some((filter) => one.id.includes(filter)),
)
try {
  const outcomes = await runCases(
    cases,
    {
      kubectl: values.kubectl === 'system' ? (tools.systemKubectl ?? tools.kubectl) : tools.kubectl,
      helm: tools.helm,
      kubeconfig,
      http,
      directory,
      suffix: `-${process.pid % 1000}`,
    },
    {
      concurrency: Number(values.concurrency),
      onOutcome: ({ id, ms, error }) =>
        process.stdout.write(
          `${error === undefined ? 'ok    ' : 'FAILED'} ${id} ${ms} ms${error ? `\n${error.replace(/^/gm, '         ')}` : ''}\n`,
        ),
    },
  )
  const failed = outcomes.filter((one) => one.error !== undefined)
  process.stdout.write(`${outcomes.length - failed.length} passed, ${failed.length} failed\n`)
  process.exitCode = failed.length === 0 ? 0 : 1
} finally {
  http.close()
  rmSync(directory, { recursive: true, force: true })
  if (values.output && cluster) process.stderr.write(cluster.output().slice(-20_000))
  if (cluster && cluster.process.exitCode !== null) {
    process.stderr.write(
      `the cluster ended by itself, code ${cluster.process.exitCode}:\n${cluster.output().slice(-4000)}\n`,
    )
  }
  await cluster?.remove()
}
