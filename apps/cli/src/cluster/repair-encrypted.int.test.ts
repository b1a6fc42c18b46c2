// Repair of a log whose damaged record is an encrypted one: the object goes back to its version before, encrypted for its new place.
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type RunningCluster, startCluster } from '@shiplog/all-in-one/cluster'
import { silentLogger } from '@shiplog/runtime/logger'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { repair } from './repair.ts'

vi.setConfig({ testTimeout: 60_000 })

let dataDir = ''
let cluster: RunningCluster | undefined
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'shiplog-repair-'))
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await cluster?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function up(): Promise<RunningCluster> {
  const findNatsServer = () => Promise.resolve(undefined)
  cluster = await startCluster({ dataDir, log: 'embedded', port: 0, simulatedNodes: 0, logger: silentLogger, findNatsServer })
  return cluster
}

const secrets = { group: '', resource: 'secrets', namespace: 'default' } as const
const ask = async (asked: object): Promise<any> => {
  const user = { name: 'ann', groups: ['system:masters', 'system:authenticated'] }
  const answer = await cluster!.gateway.clientFor(user).request({ ...secrets, ...asked } as never)
  if (!answer.ok) throw new Error(answer.status.message)
  return answer.object
}

test('a Secret whose last record is damaged goes back to what it was, and is read as ever', async () => {
  await up()
  const body = (says: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, data: { says } })
  await ask({ verb: 'create', body: body('Zmlyc3Q=') })
  const { metadata } = await ask({ verb: 'update', name: 'db', body: body('c2Vjb25k') })
  await cluster!.stop()
  const database = new DatabaseSync(join(dataDir, 'log.db'))
  database.prepare(`UPDATE events SET payload = CAST('{"encrypted":"AAAA"}' AS BLOB) WHERE sequence = ?`).run(metadata.resourceVersion)
  database.close()
  await expect(up()).rejects.toThrow(`at sequence ${metadata.resourceVersion}`)
  const [file, away] = ['encryption.yaml', 'away'].map((name) => join(dataDir, name)) as [string, string]
  renameSync(file, away)
  await expect(repair({ dataDir, yes: true })).rejects.toThrow(/is encrypted, and its keys are not at hand: nothing was changed/)
  renameSync(away, file)
  expect(await repair({ dataDir, yes: true })).toBe(0)
  await up()
  expect((await ask({ verb: 'get', name: 'db' })).data).toEqual({ says: 'Zmlyc3Q=' })
  await ask({ verb: 'update', name: 'db', body: body('dGhpcmQ=') })
})
