// Pictures of the dashboard's pages, light and dark, of a cluster of its own: to be looked at after every change of how it
// looks, and for the README.
//
//   node tools/run.mjs conformance/dashboard/pictures.ts [folder] [page …]
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startCluster } from '@shiplog/all-in-one/cluster'
import { silentLogger } from '@shiplog/runtime/logger'
import { launchBrowser, visitorOf } from './browser.ts'
import { demoObjects } from './demo.ts'
import { type Kube, kubeOf, linkFor } from './kube.ts'

const namespace = 'shop'
const nodes = 6
const settleMs = 900

interface Shot {
  readonly name: string
  readonly path: (moments: Moments) => string
  readonly width?: number
  readonly prepare?: (page: import('playwright-core').Page) => Promise<void>
}

interface Moments {
  /** Before the deletion and the scaling. */
  readonly before: number
  readonly pod: string
}

const openPalette = async (page: import('playwright-core').Page): Promise<void> => {
  await page.keyboard.press(':')
  await page.keyboard.type('deploy')
}

const shots: readonly Shot[] = [
  { name: 'overview', path: () => '/' },
  { name: 'pods', path: () => '/list/core/v1/pods?ns=shop' },
  { name: 'past', path: ({ before }) => `/list/apps/v1/deployments?ns=shop&at=${before}` },
  { name: 'compare', path: ({ before }) => `/list/core/v1/pods?ns=shop&vs=${before}` },
  { name: 'deployment', path: () => '/object/apps/v1/deployments/shop/storefront' },
  { name: 'history', path: () => '/object/apps/v1/deployments/shop/storefront?tab=history' },
  { name: 'yaml-diff', path: ({ before }) => `/object/apps/v1/deployments/shop/storefront?tab=yaml&vs=${before}` },
  { name: 'why', path: () => '/object/core/v1/pods/shop/model-training?tab=why' },
  { name: 'map', path: () => '/map?ns=shop' },
  {
    name: 'sql',
    path: () => '/sql',
    prepare: async (page) => {
      await page.locator('select:has(option:text("Examples"))').selectOption({ label: 'How full the nodes are' })
      await page.getByRole('button', { name: /^Run/ }).click()
      await page.locator('.result, .failure').first().waitFor()
    },
  },
  { name: 'palette', path: () => '/list/core/v1/pods?ns=shop', prepare: openPalette },
  { name: 'phone', path: () => '/list/core/v1/pods?ns=shop', width: 390 },
]

async function fill(kube: Kube): Promise<Moments> {
  for (const [path, object] of demoObjects(namespace)) await kube.ask('POST', path, object)
  await untilRunning(kube, 16)
  const { metadata } = await kube.ask('GET', '/api/v1/namespaces?limit=1')
  await new Promise((settle) => setTimeout(settle, 3_000))
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
  await kube.ask('PATCH', `${deployments}/storefront`, { spec: { replicas: 8 } })
  await kube.ask('PATCH', `${deployments}/checkout`, { spec: { template: { spec: { containers: [{ name: 'checkout', image: 'registry.example.com/checkout:1.5.0' }] } } } }, 'application/strategic-merge-patch+json')
  await kube.ask('DELETE', `${deployments}/recommendations`)
  await kube.ask('PATCH', '/api/v1/nodes/node-4', { spec: { unschedulable: true } })
  await untilRunning(kube, 15)
  await new Promise((settle) => setTimeout(settle, 4_000))
  return { before: Number(metadata['resourceVersion']), pod: 'model-training' }
}

async function untilRunning(kube: Kube, count: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const { items } = await kube.ask('GET', `/api/v1/namespaces/${namespace}/pods`)
    if (items.filter((pod: { status: { phase: string } }) => pod.status.phase === 'Running').length >= count) return
    await new Promise((settle) => setTimeout(settle, 200))
  }
  throw new Error('the demo does not get running')
}

const [folder = 'pictures', ...names] = process.argv.slice(2)
const out = resolve(folder)
mkdirSync(out, { recursive: true })
const dataDir = mkdtempSync(join(tmpdir(), 'shiplog-pictures-'))
const cluster = await startCluster({
  ...{ dataDir, port: 0, log: 'embedded', simulatedNodes: nodes, logger: silentLogger, dashboard: true, postgres: 'auto' },
  findNatsServer: () => Promise.resolve(undefined),
} as unknown as Parameters<typeof startCluster>[0])
const browser = await launchBrowser()
try {
  const kube = kubeOf(dataDir, cluster.url)
  const moments = await fill(kube)
  for (const dark of [false, true]) {
    const { context, page, complaints } = await visitorOf(browser, { dark, scale: 1 })
    await page.goto(await linkFor(kube))
    for (let tries = 0; tries < 20 && (await page.title()) !== 'Shiplog'; tries++) await page.waitForTimeout(1_000)
    await page.locator('.shell').waitFor()
    for (const { name, path, width = 1440, prepare } of shots) {
      if (names.length > 0 && !names.includes(name)) continue
      await page.setViewportSize({ width, height: width < 600 ? 844 : 900 })
      await page.goto(`${cluster.url}/dashboard${path(moments)}`)
      await page.waitForTimeout(settleMs)
      await prepare?.(page)
      await page.waitForTimeout(settleMs)
      await page.screenshot({ path: join(out, `${name}-${dark ? 'dark' : 'light'}.png`) })
    }
    for (const complaint of complaints) process.stderr.write(`console: ${complaint}\n`)
    await context.close()
  }
} finally {
  await browser.close()
  await cluster.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
