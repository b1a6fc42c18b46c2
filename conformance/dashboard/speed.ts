// How the table of pods bears up: first paint, the whole list, scrolling, long tasks and memory while much changes, and what one
// open page costs the gateway.
//
//   node tools/run.mjs conformance/dashboard/speed.ts [pods] [changes a second] [seconds]
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { startCluster } from '../src/cluster.ts'
import { launchBrowser, visitorOf } from './browser.ts'
import { kubeOf, linkFor } from './kube.ts'

const [pods = 50_000, changesPerSecond = 200, seconds = 60] = process.argv.slice(2).map(Number)
const namespaces = 20
const writers = 48
const tickMs = 50
const rowsTimeoutMs = 120_000
const clockTicksPerSecond = 100

const cluster = await startCluster({ log: 'embedded', simulatedNodes: 1 })
const server = /server: (\S+)/.exec(readFileSync(cluster.kubeconfig, 'utf8'))![1]!
const kube = kubeOf(cluster.dataDir, server)
const [ca, cert, key] = ['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFileSync(join(cluster.dataDir, 'pki', name)))
const agent = new Agent({ keepAlive: true, maxSockets: writers, ...{ ca, cert, key } })

const send = (method: string, path: string, body: unknown, type = 'application/json'): Promise<number> =>
  new Promise((resolve, reject) => {
    const call = request(`${server}${path}`, { method, agent, headers: { 'content-type': type } }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode!))
    })
    call.on('error', reject)
    call.end(JSON.stringify(body))
  })

const placeOf = (index: number): string => `/api/v1/namespaces/load-${index % namespaces}/pods`
const podOf = (index: number): object => ({
  metadata: { name: `worker-${String(index).padStart(6, '0')}`, labels: { app: `app-${index % 100}`, tier: 'load' } },
  spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'registry.example.com/worker:1', resources: { requests: { cpu: '100m' } } }] },
})

async function fill(): Promise<void> {
  for (let index = 0; index < namespaces; index++) await kube.ask('POST', '/api/v1/namespaces', { metadata: { name: `load-${index}` } })
  let next = 0
  const write = async (): Promise<void> => {
    while (next < pods) {
      const index = next++
      const code = await send('POST', placeOf(index), podOf(index))
      if (code !== 201) throw new Error(`pod ${index}: ${code}`)
    }
  }
  await Promise.all(Array.from({ length: writers }, write))
}

/** Seconds of CPU that a process has used. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

interface Tasks {
  readonly count: number
  readonly worst: number
}

const longTasks = (page: Page): Promise<Tasks> => page.evaluate('({ count: window.tasks.length, worst: Math.round(Math.max(0, ...window.tasks)) })')
const forget = (page: Page): Promise<unknown> => page.evaluate('window.tasks.length = 0')

async function heapOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  await session.detach()
  return Math.round(usedSize / 1e6)
}

/** Turns the wheel for a while; the longest time between two frames meanwhile. */
async function scroll(page: Page): Promise<number> {
  await page.evaluate(`window.gaps = []; window.turning = true; { let last = performance.now(); const frame = (now) => { window.gaps.push(now - last); last = now; if (window.turning) requestAnimationFrame(frame) }; requestAnimationFrame(frame) }`)
  await page.mouse.move(700, 500)
  for (let turn = 0; turn < 60; turn++) {
    await page.mouse.wheel(0, 900)
    await page.waitForTimeout(30)
  }
  return Math.round(await page.evaluate<number>('window.turning = false, Math.max(...window.gaps.slice(1))'))
}

async function change(ms: number): Promise<number> {
  const end = performance.now() + ms
  let done = 0
  while (performance.now() < end) {
    const beganMs = performance.now()
    const some = Array.from({ length: Math.round((changesPerSecond * tickMs) / 1_000) }, () => {
      const index = Math.floor(Math.random() * pods)
      const path = `${placeOf(index)}/worker-${String(index).padStart(6, '0')}`
      return send('PATCH', path, { metadata: { labels: { touched: String(done++) } } }, 'application/merge-patch+json')
    })
    await Promise.all(some)
    await new Promise((settle) => setTimeout(settle, Math.max(0, tickMs - (performance.now() - beganMs))))
  }
  return done
}

const browser = await launchBrowser()
try {
  const beganMs = performance.now()
  await fill()
  say(`${pods} pods in ${((performance.now() - beganMs) / 1_000).toFixed(1)} s`)
  const { page } = await visitorOf(browser)
  await page.addInitScript('window.tasks = []; new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.tasks.push(entry.duration) }).observe({ entryTypes: ["longtask"] })')
  await page.goto(await linkFor(kube))
  for (let tries = 0; tries < 60 && (await page.locator('.shell').count()) === 0; tries++) await page.waitForTimeout(500)
  await page.goto(`${server}/dashboard/sql`)
  await page.waitForTimeout(500)
  const openedMs = performance.now()
  await page.goto(`${server}/dashboard/list/core/v1/pods`)
  await page.locator('.table-body .table-row').first().waitFor({ timeout: rowsTimeoutMs })
  say(`first rows after ${Math.round(performance.now() - openedMs)} ms`)
  for (let tries = 0; tries < 2_400; tries++) {
    if (Number(await page.getByRole('table').getAttribute('aria-rowcount')) > pods) break
    await page.waitForTimeout(50)
  }
  say(`all rows after ${((performance.now() - openedMs) / 1_000).toFixed(1)} s; long tasks ${JSON.stringify(await longTasks(page))}`)
  await page.waitForTimeout(1_000)
  await forget(page)
  say(`scrolling: longest gap between frames ${await scroll(page)} ms; long tasks ${JSON.stringify(await longTasks(page))}`)
  say(`heap ${await heapOf(page)} MB`)
  const { pid } = cluster.process
  const half = (seconds * 1_000) / 2
  await forget(page)
  const [cpuBefore, shownMs] = [cpuOf(pid!), performance.now()]
  const done = await change(half)
  const withPage = (cpuOf(pid!) - cpuBefore) / ((performance.now() - shownMs) / 1_000)
  say(`${Math.round(done / (half / 1_000))} changes a second for ${half / 1_000} s: long tasks ${JSON.stringify(await longTasks(page))}, heap ${await heapOf(page)} MB`)
  say(`scrolling meanwhile: ${await Promise.all([scroll(page), change(4_000)]).then(([gap]) => gap)} ms`)
  await page.close()
  const [cpuAlone, aloneMs] = [cpuOf(pid!), performance.now()]
  await change(half)
  const alone = (cpuOf(pid!) - cpuAlone) / ((performance.now() - aloneMs) / 1_000)
  say(`gateway (whole process): ${(100 * withPage).toFixed(0)} % of a core with the page open, ${(100 * alone).toFixed(0)} % without`)
} finally {
  await browser.close()
  agent.destroy()
  await cluster.remove()
}
