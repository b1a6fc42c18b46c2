// 200 watchers with selectors, cut and resumed at random while writes run and the cluster is killed once: no event is
// missing, none comes twice, none out of order, and what leaves a selector is shown as it last was inside. What should
// have come is told from the log itself, after the end.
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@shiplog/testing/seeded-random'
import { framesOf, judgeStretch, type WatchFrame, type WatchStretch } from '@shiplog/testing/watch-truth'
import { afterAll, describe, expect, test } from 'vitest'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { createHttpClient, type HttpClient } from '../src/http.ts'
import { type Credentials, readKubeconfig } from '../src/kubeconfig.ts'
import type { LogKind } from './real-log.ts'
import { seed, sized, tell } from './size.ts'
import { readStoppedLog } from './stopped-log.ts'
import { startVictim, type Victim } from './victim.ts'

const watchers = 200
const writers = 8
const names = 40
const namespaces = ['default', 'kube-public'] as const
const colors = ['red', 'green', 'blue'] as const
/** A watcher is cut after at most so long. */
const stretchMsMax = 2_500
/** How long all watchers may take to catch up once nobody writes. */
const catchUpMs = 60_000
const writeMs = sized(4_000, 60_000)
/** On a busy machine it goes on until so much was written, for a while at most. */
const writesMin = 100
const writeMsMax = writeMs + 30_000

interface Selector {
  readonly query: string
  readonly namespace: string
  readonly matches: (object: any) => boolean
}

const colorOf = (object: any): string | undefined => object.metadata.labels?.color

const selectors: readonly Omit<Selector, 'namespace'>[] = [
  { query: '', matches: () => true },
  { query: 'labelSelector=color%3Dred', matches: (object) => colorOf(object) === 'red' },
  {
    query: 'labelSelector=color%20in%20(red%2Cblue)',
    matches: (object) => ['red', 'blue'].includes(colorOf(object) ?? ''),
  },
  { query: 'labelSelector=color!%3Dgreen', matches: (object) => colorOf(object) !== 'green' },
  { query: 'labelSelector=!color', matches: (object) => colorOf(object) === undefined },
  {
    query: 'labelSelector=color%3Dblue%2Csize',
    matches: (object) => colorOf(object) === 'blue' && object.metadata.labels.size !== undefined,
  },
  { query: 'fieldSelector=metadata.name%3Dobject-3', matches: (object) => object.metadata.name === 'object-3' },
]

/** One life of the cluster, as its clients know it. */
interface Life {
  readonly credentials: Credentials
  readonly agent: Agent
  readonly http: HttpClient
}

describe.each<LogKind>(['embedded', 'jetstream'])('200 watchers on the %s log', (log) => {
  const parent = mkdtempSync(join(tmpdir(), `shiplog-watches-${log}-`))
  const dataDir = join(parent, 'data')
  let victim: Victim | undefined
  afterAll(async () => {
    await victim?.kill()
    rmSync(parent, { recursive: true, force: true })
  })

  test(
    'miss nothing, see nothing twice and nothing out of order',
    async () => {
      const { kubectl } = await provideKubectl()
      const random = seededRandom(seed)
      const start = async (): Promise<Life> => {
        victim = startVictim({ dataDir, log, simulatedNodes: 1 })
        await victim.ready
        const credentials = await readKubeconfig(kubectl, victim.kubeconfig)
        const agent = new Agent({ ...credentials, keepAlive: false, maxCachedSessions: watchers })
        return { credentials, agent, http: createHttpClient(credentials) }
      }
      let life: Promise<Life> = start()
      const violations: string[] = []
      /** Versions that some write was told: places to resume at. */
      const versions: number[] = []
      let writing = true
      let written = 0
      /** Where the log stood when the last write was done. */
      let end = Number.POSITIVE_INFINITY

      const write = async (writer: number): Promise<void> => {
        const exists = new Set<string>()
        while (writing) {
          const { http } = await life
          const namespace = random.pick(namespaces)
          // Each writer has names of its own, so that it knows which exist.
          const name = `object-${writer + writers * random.below(names / writers)}`
          const path = `/api/v1/namespaces/${namespace}/configmaps`
          const id = `${namespace}/${name}`
          const labels = {
            ...(random.chance(0.8) ? { color: random.pick(colors) } : { color: null }),
            ...(random.chance(0.5) ? { size: 'large' } : { size: null }),
          }
          const set = Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== null))
          const data = { written: String(written++) }
          const goes = exists.has(id) && random.chance(0.2)
          const answer = await http
            .send(
              goes
                ? { method: 'DELETE', path: `${path}/${name}` }
                : exists.has(id)
                  ? {
                      method: 'PATCH',
                      path: `${path}/${name}`,
                      headers: { 'content-type': 'application/merge-patch+json' },
                      body: { metadata: { labels }, data },
                    }
                  : { method: 'POST', path, body: { metadata: { name, labels: set }, data } },
            )
            .catch(() => undefined)
          if (answer && answer.code < 300) {
            if (goes) exists.delete(id)
            else {
              exists.add(id)
              versions.push(Number(answer.json.metadata.resourceVersion))
            }
          } else if (answer?.code === 404) exists.delete(id)
          else if (answer?.code === 409) exists.add(id)
          else if (answer && answer.code < 500) violations.push(`write of ${id}: ${answer.code} ${answer.text}`)
          await sleep(answer ? 15 : 50)
        }
      }

      /** One connection of a watcher: what it showed until it was cut, or ended with a bookmark. */
      const watch = async (selector: Selector, from: number, lastMs: number): Promise<WatchStretch> => {
        const { credentials, agent } = await life
        const base = new URL(credentials.server)
        const scope = selector.namespace === '' ? '' : `namespaces/${selector.namespace}/`
        const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=2&resourceVersion=${from}&${selector.query}`
        const frames: WatchFrame[] = []
        let through: number | undefined
        await new Promise<void>((resolve) => {
          const sent = request({
            agent,
            host: base.hostname,
            port: base.port,
            path: `/api/v1/${scope}configmaps?${query}`,
          })
          const cut = setTimeout(() => sent.destroy(), lastMs)
          const finish = (): void => {
            clearTimeout(cut)
            resolve()
          }
          sent.on('error', finish)
          sent.on('close', finish)
          sent.on('response', (response) => {
            let rest = ''
            response.setEncoding('utf8')
            response.on('data', (chunk: string) => {
              const lines = (rest + chunk).split('\n')
              rest = lines.pop()!
              for (const line of lines) {
                const frame = JSON.parse(line) as WatchFrame
                if (frame.type === 'BOOKMARK') through = Number(frame.object.metadata.resourceVersion)
                else if (frame.type === 'ERROR') violations.push(`watch after ${from}: ${frame.object.message}`)
                else frames.push(frame)
              }
            })
            response.on('error', finish)
            response.on('end', finish)
            if (response.statusCode !== 200) violations.push(`watch after ${from}: ${response.statusCode}`)
          })
          sent.end()
        })
        return { from, frames, ...(through === undefined ? {} : { through }) }
      }

      const stretches: { readonly selector: Selector; readonly stretch: WatchStretch }[] = []
      let unfinished = 0
      const runWatcher = async (watcher: number, first: number): Promise<void> => {
        const selector = { ...selectors[watcher % selectors.length]!, namespace: random.pick(['', ...namespaces]) }
        let position = first
        for (;;) {
          const done = !writing && Number.isFinite(end)
          const stretch = await watch(selector, position, done ? 10_000 : 50 + random.below(stretchMsMax))
          stretches.push({ selector, stretch })
          const last = stretch.frames.at(-1)
          position = Math.max(position, stretch.through ?? 0, Number(last?.object.metadata.resourceVersion ?? 0))
          if (position >= end) return
          if (Date.now() > giveUpMs) {
            unfinished++
            return
          }
          // Most go on where they were; some begin again at any version that somebody knows.
          if (!done && random.chance(0.3)) position = versions[random.below(versions.length)] ?? position
          if (stretch.frames.length === 0 && stretch.through === undefined) await sleep(20)
        }
      }
      let giveUpMs = Number.POSITIVE_INFINITY

      const { http } = await life
      const listed = await http.send({ path: '/api/v1/configmaps' })
      const first = Number(listed.json.metadata.resourceVersion)
      const watching = Array.from({ length: watchers }, (_, watcher) => runWatcher(watcher, first))
      const writers_ = Array.from({ length: writers }, (_, writer) => write(writer))
      const wrote = async (writes: number): Promise<void> => {
        await sleep(writeMs / 2)
        for (const endMs = Date.now() + writeMsMax; written < writes && Date.now() < endMs; ) await sleep(50)
      }
      await wrote(writesMin / 2)
      const before = await life
      // From here on everybody waits for the next life.
      const next = Promise.withResolvers<Life>()
      life = next.promise
      await victim!.kill()
      before.http.close()
      start().then(next.resolve, next.reject)
      await life
      await wrote(written + writesMin / 2)
      writing = false
      await Promise.all(writers_)
      const now = await (await life).http.send({ path: '/api/v1/configmaps' })
      giveUpMs = Date.now() + catchUpMs
      end = Number(now.json.metadata.resourceVersion)
      await Promise.all(watching)
      ;(await life).http.close()
      expect(await victim!.stop()).toBe(0)
      victim = undefined

      const records = (await readStoppedLog(dataDir)).filter(({ subject }) =>
        subject.startsWith('evt.core.configmaps.'),
      )
      const truths = new Map<string, readonly WatchFrame[]>()
      let frames = 0
      let left = 0
      for (const { selector, stretch } of stretches) {
        const { query, namespace, matches } = selector
        const key = `${namespace} ${query}`
        let truth = truths.get(key)
        if (!truth) {
          const own = namespace === '' ? records : records.filter(({ subject }) => subject.split('.')[3] === namespace)
          truths.set(key, (truth = framesOf(own, matches)))
        }
        frames += stretch.frames.length
        for (const frame of stretch.frames) if (frame.type === 'DELETED' && query !== '') left++
        const violation = judgeStretch(truth, stretch)
        if (violation) violations.push(`[${key}] ${violation}`)
      }
      tell(
        `${log}, seed ${seed}: ${watchers} watchers, ${stretches.length} connections, ${written} writes, ${frames} frames ` +
          `(${left} objects left a selector), ${unfinished} watchers did not catch up, ${violations.length} violations`,
      )
      expect(violations.slice(0, 20)).toEqual([])
      expect(unfinished).toBe(0)
      expect(frames).toBeGreaterThan(watchers * 10)
      expect(left).toBeGreaterThan(watchers)
    },
    240_000 + writeMs * 3,
  )
})

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
