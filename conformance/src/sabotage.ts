// `npm run conformance:sabotage`: shows that every case fails when its feature is broken. One feature after the other is
// broken by a proxy, the cases that use it and have not failed yet are run, and the record of which sabotage each case
// noticed is written to `conformance/sabotage.json`. Exit code 1 when a case noticed none.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { allCases } from '../cases/all.ts'
import { startCluster } from './cluster.ts'
import { createHttpClient, createPlainHttpClient } from './http.ts'
import { readKubeconfig } from './kubeconfig.ts'
import { runCases } from './run-cases.ts'
import { sabotages } from './sabotages.ts'
import { startSaboteur } from './saboteur.ts'

const { values } = parseArgs({
  options: {
    concurrency: { type: 'string', default: '5' },
    /** Keeps what an earlier run found and looks only for the rest. */
    resume: { type: 'boolean', default: false },
  },
})

/** Waits of cases are cut to this: a broken feature is not worth a minute of waiting. */
const patienceMs = 4_000

const recordPath = join(resolve(import.meta.dirname, '..'), 'sabotage.json')
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const tools = await provideKubectl()
const cluster = await startCluster({ log: 'embedded' })
const directory = mkdtempSync(join(tmpdir(), 'shiplog-sabotage-'))
const credentials = await readKubeconfig(tools.kubectl, cluster.kubeconfig)
const saboteur = await startSaboteur(credentials)
const kubeconfig = join(directory, 'kubeconfig')
// kubectl reads JSON as well as YAML. The certificate is only for the case that makes a Secret of it.
writeFileSync(
  kubeconfig,
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { server: saboteur.url } }],
    users: [
      {
        name: 'x',
        user: {
          'client-certificate-data': credentials.cert.toString('base64'),
          'client-key-data': credentials.key.toString('base64'),
        },
      },
    ],
  }),
)
const found = new Map<string, string>(
  values.resume ? Object.entries(JSON.parse(readFileSync(recordPath, 'utf8')) as Record<string, string>) : [],
)
/** The cases that this run is about. */
const sought = allCases.filter((one) => !found.has(one.id))
/** Cases that fail though nothing is broken. */
const broken = new Set<string>()
// Namespaces are made past the saboteur: it is the case that shall fail, not its set-up.
const honest = createHttpClient(credentials)
const sabotaged = createPlainHttpClient(saboteur.url)
try {
  // The first and the last round break nothing: a case that fails there has not shown that it noticed a sabotage.
  for (const [index, sabotage] of [undefined, ...sabotages, undefined].entries()) {
    const cases =
      sabotage === undefined
        ? sought
        : sought.filter((one) => !found.has(one.id) && !broken.has(one.id) && sabotage.concerns(one))
    if (cases.length === 0) continue
    saboteur.use(sabotage)
    const outcomes = await runCases(
      cases,
      {
        kubectl: tools.kubectl,
        helm: tools.helm,
        kubeconfig,
        http: sabotaged,
        setUp: honest,
        directory,
        suffix: `-s${index}`,
        ...(sabotage ? { patienceMs } : {}),
      },
      { concurrency: Number(values.concurrency) },
    )
    saboteur.use(undefined)
    // A dead cluster fails every case: that would prove nothing.
    const health = await honest.send({ path: '/readyz' })
    if (health.text !== 'ok') throw new Error(`the cluster is not well after "${sabotage?.name}": ${health.text}`)
    const idle = outcomes.find((one) => one.neverBegan)
    if (idle) throw new Error(idle.error)
    const failed = outcomes.filter((one) => one.error !== undefined)
    if (sabotage === undefined) {
      for (const { id, error } of failed) {
        broken.add(id)
        say(`FAILED without sabotage: ${id}\n${error?.replace(/^/gm, '    ')}`)
      }
    } else {
      for (const { id } of failed) found.set(id, sabotage.name)
    }
    say(`${sabotage?.name ?? 'nothing is broken'}: ${failed.length} of ${cases.length} cases failed`)
  }
} finally {
  honest.close()
  sabotaged.close()
  saboteur.close()
  rmSync(directory, { recursive: true, force: true })
  await cluster.remove()
}
for (const id of broken) found.delete(id)
const record = Object.fromEntries([...found].sort(([left], [right]) => (left < right ? -1 : 1)))
writeFileSync(recordPath, `${JSON.stringify(record, null, 2)}\n`)
const blind = allCases.filter((one) => !found.has(one.id))
for (const { id } of blind) say(`NOTICED NOTHING: ${id}`)
say(`${found.size} of ${allCases.length} cases failed when their feature was broken`)
process.exit(blind.length === 0 ? 0 : 1)
