// Work that resembles a test suite: each round makes a namespace of its own, fills it, changes it, asks about it in ways that
// nobody asked before (selectors, watches), and deletes it. What a server keeps of it afterwards is what it keeps for ever.
import { type ApiConnection, openConnection, requestHead } from './api-connection.ts'
import type { ChurnJob, LoadResult } from './load-jobs.ts'
import { deploymentBody, monotonicMicros } from './payloads.ts'

const configMapsOfRound = 6
const settleMs = 400
const watchSeconds = 4
const applyType = 'application/apply-patch+yaml'
const mergeType = 'application/merge-patch+json'

type Send = (method: string, path: string, body?: string, contentType?: string) => Promise<void>

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

const configMap = (name: string, filler: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { round: filler.slice(0, 12) } },
    data: { filler: filler.repeat(40) },
  })

async function configMapsOf(send: Send, base: string, id: string): Promise<void> {
  const path = `${base}/configmaps`
  for (let i = 0; i < configMapsOfRound; i++) await send('POST', path, configMap(`c${i}`, `${id}-${i}-padding`))
  await send('POST', `${path}?dryRun=All`, configMap('dry', id))
  for (const manager of ['one', 'two'])
    await send('PATCH', `${path}/c0?fieldManager=${manager}&force=true`, configMap('c0', manager), applyType)
  await send('PATCH', `${path}/c1`, JSON.stringify({ data: { [id]: 'changed' } }), mergeType)
  await send('GET', `${path}?labelSelector=round%3D${id}`)
  await send('GET', `/api/v1/configmaps?fieldSelector=metadata.name%3D${id}`)
}

async function deploymentsOf(send: Send, base: string, namespace: string): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`
  await send('POST', path, deploymentBody('web', 3))
  await sleep(settleMs)
  await send('PATCH', `${path}/web`, JSON.stringify({ spec: { replicas: 5 } }), mergeType)
  await sleep(settleMs)
  const rollOut = { spec: { template: { metadata: { annotations: { restarted: namespace } } } } }
  await send('PATCH', `${path}/web`, JSON.stringify(rollOut), mergeType)
  await sleep(settleMs)
  await send('GET', `${base}/pods?labelSelector=app%3Dweb`)
}

async function round(job: ChurnJob, number: number, send: Send): Promise<void> {
  const namespace = `${job.prefix}-${number}`
  const base = `/api/v1/namespaces/${namespace}`
  await send('POST', '/api/v1/namespaces', JSON.stringify({ metadata: { name: namespace } }))
  const watcher = await openConnection(job.credentials)
  const watch = `${base}/pods?watch=1&timeoutSeconds=${watchSeconds}&labelSelector=round%21%3D${number}`
  const watched = watcher.exchange(requestHead(job.credentials, 'GET', watch)).catch(() => 0)
  try {
    await configMapsOf(send, base, `${job.prefix}${number}`)
    await deploymentsOf(send, base, namespace)
  } finally {
    await send('DELETE', base)
    watcher.close()
    await watched
  }
}

/** Rounds side by side, one a connection, until the time is over. Answers that are errors are counted. */
export async function churn(job: ChurnJob, open: readonly ApiConnection[]): Promise<LoadResult> {
  const begun = monotonicMicros() / 1_000
  const tally = { count: 0, errors: 0, bytes: 0, latenciesMs: [] as number[] }
  let firstError: string | undefined
  let next = job.from
  const sender =
    (connection: ApiConnection): Send =>
    async (method, path, body = '', contentType = 'application/json') => {
      const more = body === '' ? '' : `Content-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
      const code = await connection.exchange(requestHead(job.credentials, method, path, more) + body)
      if (code < 300) return
      tally.errors++
      firstError ??= `${method} ${path}: ${code}`
    }
  const worker = async (connection: ApiConnection): Promise<void> => {
    const send = sender(connection)
    while (monotonicMicros() / 1_000 - begun < job.milliseconds) {
      await round(job, next++, send)
      tally.count++
    }
  }
  await Promise.all(open.map(worker))
  return { ...tally, ...(firstError ? { firstError } : {}), milliseconds: monotonicMicros() / 1_000 - begun }
}
