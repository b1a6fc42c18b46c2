// What it costs that the log holds Secrets encrypted: creates of them beside creates of ConfigMaps of the same size, with a key
// made for each, and on a cluster that stores them as they are. All take turns.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LogKind, startCluster } from '../cluster.ts'
import { perSecond, runLoad } from '../load.ts'
import type { Part, PartOptions } from '../part.ts'
import { configMapBody } from '../payloads.ts'
import type { Figure } from '../report.ts'
import { median } from '../statistics.ts'

const roundMs = 2_000
const warmUpMs = 1_500
const connectionCounts = [1, 64] as const

const inTheClear = JSON.stringify({
  kind: 'EncryptionConfiguration',
  apiVersion: 'apiserver.config.k8s.io/v1',
  resources: [{ resources: ['secrets'], providers: [{ identity: {} }] }],
})

/** The ConfigMap as a Secret: as many bytes of JSON. */
const secretBody = (): string =>
  configMapBody().replace('"kind":"ConfigMap"', '"kind":"Secret"').replace(/"filler":"(x+)"/, (_all, filler: string) => `"filler":"${'x'.repeat(filler.length - (filler.length % 4))}"`)

async function measure(log: LogKind, { repeat, progress }: PartOptions): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-bench-secrets-'))
  const file = join(directory, 'identity.json')
  writeFileSync(file, inTheClear)
  const encrypted = await startCluster({ log })
  const clear = await startCluster({ log, flags: ['--encryption-provider-config', file] })
  const path = '/api/v1/namespaces/default'
  const runs = [
    { what: 'ConfigMap creates', cluster: encrypted, path: `${path}/configmaps`, body: configMapBody() },
    { what: 'Secret creates, encrypted', cluster: encrypted, path: `${path}/secrets`, body: secretBody() },
    { what: 'Secret creates, in the clear', cluster: clear, path: `${path}/secrets`, body: secretBody() },
  ] as const
  const figures: Figure[] = []
  try {
    for (const [index, { cluster, ...job }] of runs.entries()) {
      const warm = { kind: 'create', credentials: cluster.credentials, path: job.path, body: job.body, connections: 64 } as const
      await runLoad({ ...warm, prefix: `warm-up-${index}`, milliseconds: warmUpMs })
    }
    for (const connections of connectionCounts) {
      const rates = runs.map((): number[] => [])
      for (let round = 0; round < repeat; round++) {
        progress(`secrets: ${log}, ${connections} connections, round ${round + 1}`)
        for (const [index, { cluster, path: at, body }] of runs.entries()) {
          const job = { kind: 'create', credentials: cluster.credentials, path: at, body, connections } as const
          const result = await runLoad({ ...job, prefix: `s-${index}-${connections}-${round}`, milliseconds: roundMs })
          if (result.errors > 0) throw new Error(result.firstError)
          rates[index]!.push(perSecond(result))
        }
      }
      const raw = median(rates[0]!)
      for (const [index, { what }] of runs.entries()) {
        const of = { what: `${log}: ${what}, ${connections} conn`, value: median(rates[index]!), unit: '/s', better: 'higher' } as const
        figures.push({ ...of, ...(index === 0 ? {} : { raw }) })
      }
    }
    return figures
  } finally {
    await encrypted.remove()
    await clear.remove()
    rmSync(directory, { recursive: true })
  }
}

export const secrets: Part = {
  name: 'secrets',
  about: 'creates of Secrets, encrypted and not, beside creates of ConfigMaps',
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) figures.push(...(await measure(log, options)))
    return figures
  },
}
