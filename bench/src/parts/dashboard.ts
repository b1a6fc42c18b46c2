// The dashboard's table of many pods in Chromium, while much changes: first rows, the whole list, scrolling, what it costs the
// page, its memory, and what one open page costs the gateway.
import { dirname } from 'node:path'
import { launchBrowser, visitorOf } from '@shiplog/conformance/dashboard/browser'
import { kubeOf, linkFor } from '@shiplog/conformance/dashboard/kube'
import type { Browser, Page } from 'playwright-core'
import { type BenchCluster, type LogKind, startCluster } from '../cluster.ts'
import { measuresOf, type PageMeasures, watchTasks } from '../dashboard/page-measures.ts'
import { type PodsLoad, podsLoad } from '../dashboard/pods-load.ts'
import type { Part } from '../part.ts'
import { type Figure, formatNumber } from '../report.ts'
import { megabytes, usageOfTree } from '../usage.ts'

const pods = 50_000
const changesPerSecond = 200
const openMs = 60_000
const buildTimeoutMs = 120_000
const rowsTimeoutMs = 120_000
const settleMs = 2_000
const pollMs = 50

export const dashboard: Part = {
  name: 'dashboard',
  about: `the dashboard's table of ${pods.toLocaleString('en-US')} pods, ${changesPerSecond} changes a second`,
  async run(options) {
    const figures: Figure[] = []
    for (const log of options.logs) {
      const cluster = await startCluster({ log, simulatedNodes: 1 })
      const load = podsLoad(cluster.credentials, pods)
      const browser = await launchBrowser()
      try {
        options.progress(`dashboard: ${log}, makes ${pods} pods`)
        await load.fill()
        figures.push(...(await look({ log, cluster, load, browser, progress: options.progress })))
      } finally {
        await browser.close()
        load.close()
        await cluster.remove()
      }
    }
    return figures
  },
}

interface Looked {
  readonly log: LogKind
  readonly cluster: BenchCluster
  readonly load: PodsLoad
  readonly browser: Browser
  readonly progress: (line: string) => void
}

/** Opens the page, and measures it quiet and while pods change; then the gateway with the page and without. */
async function look({ log, cluster, load, browser, progress }: Looked): Promise<Figure[]> {
  const url = `https://${cluster.credentials.host}:${cluster.credentials.port}`
  const { context, page } = await visitorOf(browser)
  await page.addInitScript(watchTasks)
  await signIn(page, url, await linkFor(kubeOf(dirname(cluster.kubeconfig), url)))
  const measures = await measuresOf(page)
  progress('dashboard: opens the table')
  const opened = await openTable(page, measures, url)
  await page.waitForTimeout(settleMs)
  const figures = [...opened, ...(await scrolled('scrolling', measures)), heap('page: heap, all rows shown', await measures.heapBytes())]
  progress(`dashboard: changes pods for ${openMs / 1_000} s`)
  let changed = 0
  const gatewayOpen = await shareOfCore(cluster, async () => {
    const { cost } = measures
    const busy = await cost(async () => {
      changed = await load.changeUntil(changesPerSecond, page.waitForTimeout(openMs))
    })
    figures.push(
      { what: 'page while pods change: longest task', value: busy.longestTaskMs, unit: 'ms', better: 'lower', aim: 50, note: `${busy.longTasks} of more than 50 ms` },
      { what: 'page while pods change: CPU of its main thread', value: busy.cpuMsPerSecond / 10, unit: '% of a core', better: 'lower' },
    )
  })
  figures.push(heap('page: heap after the changes', await measures.heapBytes()))
  const turning = scrolled('scrolling while pods change', measures)
  await Promise.all([turning, load.changeUntil(changesPerSecond, turning)])
  figures.push(...(await turning))
  figures.push({ what: 'connections of the page', value: measures.connections().size, unit: '', better: 'lower', aim: 1, note: [...measures.connections()].map((one) => one.split(' ')[1]).join(', ') })
  await context.close()
  progress(`dashboard: changes pods for ${openMs / 1_000} s with nobody looking`)
  const gatewayAlone = await shareOfCore(cluster, () => load.changeUntil(changesPerSecond, new Promise((resolve) => setTimeout(resolve, openMs))))
  const note = `${formatNumber(gatewayOpen)} % with the page, ${formatNumber(gatewayAlone)} % without, ${formatNumber(changed / (openMs / 1_000))} changes a second`
  figures.push({ what: 'gateway: CPU that the open page costs', value: gatewayOpen - gatewayAlone, unit: '% of a core', better: 'lower', note })
  return figures.map((figure) => ({ ...figure, what: `${log}: ${figure.what}` }))
}

async function signIn(page: Page, url: string, link: string): Promise<void> {
  // In a fresh checkout the page is built when it is first asked for.
  const end = performance.now() + buildTimeoutMs
  while ((await page.goto(`${url}/dashboard/`))!.status() === 503 && performance.now() < end) await page.waitForTimeout(500)
  // Only what stands behind the # is another: that alone would load nothing.
  await page.goto('about:blank')
  await page.goto(link)
  await page.locator('.shell').waitFor()
}

async function openTable(page: Page, { cost }: PageMeasures, url: string): Promise<Figure[]> {
  const openedMs = performance.now()
  const [first, whole] = [{ ms: 0 }, { ms: 0 }]
  await page.goto(`${url}/dashboard/list/core/v1/pods`)
  const paid = await cost(async () => {
    await page.locator('.table-body .table-row').first().waitFor({ timeout: rowsTimeoutMs })
    first.ms = performance.now() - openedMs
    // Asked from here: the page's policy refuses a script that would look for it.
    while (Number(await page.getByRole('table').getAttribute('aria-rowcount')) <= pods && performance.now() - openedMs < rowsTimeoutMs) await page.waitForTimeout(pollMs)
    whole.ms = performance.now() - openedMs
  })
  return [
    { what: 'first rows', value: first.ms, unit: 'ms', better: 'lower', aim: 1_000, note: 'from the address to the drawn row, nothing but files cached' },
    { what: 'all rows', value: whole.ms, unit: 'ms', better: 'lower', note: `longest task ${formatNumber(paid.longestTaskMs)} ms, ${paid.longTasks} of more than 50 ms` },
  ]
}

async function scrolled(what: string, measures: PageMeasures): Promise<Figure[]> {
  const { longestGapMs, longestTaskMs, frames, cpuMsPerFrame, longTasks } = await measures.scroll()
  return [
    { what: `${what}: longest time between frames`, value: longestGapMs, unit: 'ms', better: 'lower', aim: 50, note: `${frames} frames` },
    { what: `${what}: longest task`, value: longestTaskMs, unit: 'ms', better: 'lower', aim: 50, note: `${longTasks} of more than 50 ms` },
    { what: `${what}: CPU of a frame`, value: cpuMsPerFrame, unit: 'ms', better: 'lower', aim: 16 },
  ]
}

const heap = (what: string, bytes: number): Figure => ({ what, value: megabytes(bytes), unit: 'MiB', better: 'lower', aim: 150 })

/** CPU of the server while something is done, in percent of one core. */
async function shareOfCore(cluster: BenchCluster, during: () => Promise<unknown>): Promise<number> {
  const [beganMs, before] = [performance.now(), usageOfTree(cluster.pid).cpuMs]
  await during()
  return (100 * (usageOfTree(cluster.pid).cpuMs - before)) / (performance.now() - beganMs)
}
