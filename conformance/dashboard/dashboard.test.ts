// The dashboard in a real browser, on a cluster started as a user starts one: what it shows is what kubectl shows, what it
// does is done, and what strangers wrote into the cluster stays text.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { provideKubectl } from '../../tools/kubectl/provide.ts'
import { type Cluster, startCluster } from '../src/cluster.ts'
import { runCommand } from '../src/command.ts'
import { checkDeploymentActions, checkNodeActions } from './action-checks.ts'
import { launchBrowser, type Visitor, visitorOf } from './browser.ts'
import { type AnyObject, type Kube, kubeOf, linkFor } from './kube.ts'

vi.setConfig({ testTimeout: 90_000, hookTimeout: 180_000 })

const namespace = 'lab'
const evil = '<img src=x onerror="window.hacked=1">'
const buildTimeoutMs = 60_000

let directory: string
let cluster: Cluster
let kube: Kube
let kubectl: string
let browser: Browser
let admin: Visitor
let page: Page

const core = `/api/v1/namespaces/${namespace}`
const apps = `/apis/apps/v1/namespaces/${namespace}`
const to = (path: string): string => `${kube.url}/dashboard${path}`

const deployment: AnyObject = {
  metadata: { name: 'web', labels: { app: 'web' }, annotations: { note: evil } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu: '100m' } } }] } },
  },
}

const printer: AnyObject = {
  metadata: { name: 'printer' },
  spec: {
    nodeSelector: { 'shiplog.dev/runtime': 'process' },
    tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Exists' }],
    containers: [{ name: 'main', image: 'none', command: ['/bin/sh', '-c', `i=0; while :; do echo "line $i ${evil.replaceAll('"', '\\"')}"; i=$((i+1)); sleep 0.2; done`] }],
  },
}

const definition: AnyObject = {
  metadata: { name: 'boats.lab.example.com' },
  spec: {
    ...{ group: 'lab.example.com', scope: 'Namespaced', names: { plural: 'boats', singular: 'boat', kind: 'Boat' } },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true },
        additionalPrinterColumns: [{ name: 'Sails', type: 'integer', jsonPath: '.spec.sails' }],
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { sails: { type: 'integer' } } } } } },
      },
    ],
  },
}

async function k(...args: string[]): Promise<string> {
  const done = await runCommand(kubectl, ['--kubeconfig', cluster.kubeconfig, ...args])
  expect([done.code, done.stderr]).toEqual([0, expect.anything()])
  return done.stdout
}

/** Opens the page of a link; the first visitor of a fresh checkout waits while it is built. */
async function enter(visitor: Visitor, link: string): Promise<void> {
  const end = performance.now() + buildTimeoutMs
  const probe = await visitor.context.newPage()
  while ((await probe.goto(to('/')))!.status() === 503 && performance.now() < end) await probe.waitForTimeout(500)
  await probe.close()
  await visitor.page.goto(link)
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-dashboard-'))
  writeFileSync(join(directory, 'tokens'), 'limited-token,joe,7,"dev"\n')
  const args = ['--postgres', 'auto', '--node', 'process', '--token-auth-file', join(directory, 'tokens')]
  const [started, tools, launched] = await Promise.all([startCluster({ log: 'embedded', args }), provideKubectl(), launchBrowser()])
  cluster = started
  kubectl = tools.kubectl
  browser = launched
  const server = /server: (\S+)/.exec(readFileSync(cluster.kubeconfig, 'utf8'))![1]!
  kube = kubeOf(cluster.dataDir, server)
  await kube.ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  await kube.ask('POST', `${apps}/deployments`, deployment)
  await kube.ask('POST', `${core}/pods`, printer)
  await kube.ask('POST', `${core}/pods`, { metadata: { name: 'huge' }, spec: { containers: [{ name: 'c', image: 'c', resources: { requests: { cpu: '500' } } }] } })
  await kube.ask('POST', `${core}/configmaps`, { metadata: { name: 'doomed' }, data: { a: '1' } })
  await kube.ask('POST', `${core}/configmaps`, { metadata: { name: 'kept' }, data: { a: '1', html: evil } })
  await kube.ask('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: evil }, rules: [] })
  await kube.ask('POST', `${core}/events`, {
    ...{ metadata: { name: 'strange', namespace }, reason: 'Strange', type: 'Warning', message: evil },
    involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', name: 'kept', namespace, uid: (await kube.ask('GET', `${core}/configmaps/kept`))['metadata'].uid },
  })
  await kube.ask('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'joe-views' },
    subjects: [{ kind: 'User', name: 'joe', apiGroup: 'rbac.authorization.k8s.io' }],
    roleRef: { kind: 'ClusterRole', name: 'view', apiGroup: 'rbac.authorization.k8s.io' },
  })
  await kube.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
  await k('wait', '--for=condition=Established', 'crd/boats.lab.example.com', '--timeout=20s')
  await kube.ask('POST', `/apis/lab.example.com/v1/namespaces/${namespace}/boats`, { apiVersion: 'lab.example.com/v1', kind: 'Boat', metadata: { name: 'nina' }, spec: { sails: 3 } })
  admin = await visitorOf(browser)
  page = admin.page
  await enter(admin, await linkFor(kube))
  await page.locator('.shell').waitFor()
})

afterAll(async () => {
  await browser?.close()
  await cluster?.remove()
  rmSync(directory, { recursive: true, force: true })
})

/** Pages take their time on a busy machine. */
const poll = (what: () => unknown) => expect.poll(what, { timeout: 20_000 })
const shown = (name: string, count = 1) => poll(() => page.getByRole('link', { name, exact: true }).count()).toBe(count)

test('a link signs in once, and leaves no code in the address bar', async () => {
  expect(page.url()).not.toContain('code=')
  const link = await linkFor(kube)
  const other = await visitorOf(browser)
  await enter(other, link)
  await other.page.locator('.shell').waitFor()
  await other.context.close()
  const late = await visitorOf(browser)
  await late.page.goto(link)
  await poll(() => late.page.getByRole('alert').textContent()).toContain('was used')
  await late.context.close()
})

test('the cookie alone is nobody: other pages of the browser cannot act', async () => {
  const [cookie] = await admin.context.cookies()
  expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict' })
  const statusWith = (headers: Record<string, string>, method = 'GET'): Promise<number> =>
    new Promise((resolve, reject) =>
      request(`${kube.url}/api/v1/namespaces/${namespace}/configmaps`, { method, rejectUnauthorized: false, agent: false, headers: { cookie: `${cookie!.name}=${cookie!.value}`, ...headers } }, (response) => {
        response.resume()
        resolve(response.statusCode!)
      })
        .on('error', reject)
        .end(),
    )
  const proof = await page.evaluate(() => localStorage.getItem('shiplog-proof')!)
  expect(await statusWith({})).toBe(403)
  expect(await statusWith({ 'shiplog-session-proof': proof })).toBe(200)
  expect(await statusWith({ 'shiplog-session-proof': 'guessed' })).toBe(401)
  expect(await statusWith({ 'shiplog-session-proof': proof, origin: 'https://evil.example' })).toBe(403)
  expect(await statusWith({ origin: 'https://evil.example' }, 'DELETE')).toBe(403)
})

/** These change while they are looked at. */
const restless = /events|leases/

async function kubectlGet(resource: string): Promise<readonly string[]> {
  const { stdout } = await runCommand(kubectl, ['--kubeconfig', cluster.kubeconfig, 'get', resource, '-A'])
  return stdout.trimEnd().split('\n').filter(Boolean)
}

interface Anchor {
  readonly href: string
  readonly textContent: string
}

test('every entry of the navigation shows what kubectl shows', async () => {
  await page.goto(to('/'))
  await page.locator('.nav section a').first().waitFor()
  const groups = page.locator('.nav section').filter({ has: page.locator('h2', { hasText: /^(Workloads|Service|Config and Storage|Cluster|Custom Resources|lab\.example\.com)$/ }) })
  expect(await groups.count()).toBe(6)
  const entries = await groups.locator('a').evaluateAll((links: readonly Anchor[]) => links.map(({ href, textContent }) => ({ href, title: textContent })))
  expect(entries.length).toBeGreaterThanOrEqual(29)
  const keyOf = (href: string): string => {
    const [, , , group, , resource] = new URL(href).pathname.split('/')
    return group === 'core' ? resource! : `${resource}.${group}`
  }
  const differences: string[] = []
  let printing = kubectlGet(keyOf(entries[0]!.href))
  for (const [index, { href, title }] of entries.entries()) {
    const printed = await printing
    const next = entries[index + 1]
    // The next one is asked for while the page is looked at.
    if (next) printing = kubectlGet(keyOf(next.href))
    await page.locator(`.nav a[href="${new URL(href).pathname}"]`).first().click()
    const wanted = printed.length === 0 ? [] : printed[0]!.split(/ {2,}/)
    await page.locator('.list-page h1', { hasText: title }).first().waitFor()
    await page.locator('.list-page .table, .list-page .empty, .list-page .failure').first().waitFor()
    const head = (await page.getByRole('columnheader').allTextContents()).map((text) => text.replace(/[↑↓]/g, '').toUpperCase()).filter((text) => text !== '')
    const count = head.length === 0 ? 0 : Number(await page.getByRole('table').getAttribute('aria-rowcount')) - 1
    if (JSON.stringify(head) !== JSON.stringify(wanted)) differences.push(`${title}: ${head} instead of ${wanted}`)
    if (!restless.test(href) && count !== Math.max(0, printed.length - 1)) differences.push(`${title}: ${count} rows instead of ${printed.length - 1}`)
  }
  expect(differences).toEqual([])
})

test('a table is live, and a time bar leads to what is deleted and who did it', async () => {
  await page.goto(to(`/list/core/v1/configmaps?ns=${namespace}`))
  await shown('doomed')
  await kube.ask('POST', `${core}/configmaps`, { metadata: { name: 'newborn' } })
  await shown('newborn')
  const { metadata } = await kube.ask('GET', `${core}/configmaps`)
  const before = String(metadata['resourceVersion'])
  await kube.ask('DELETE', `${core}/configmaps/doomed`)
  await shown('doomed', 0)
  await page.goto(to(`/list/core/v1/configmaps?ns=${namespace}&at=${before}`))
  await shown('doomed')
  await page.getByRole('button', { name: 'live' }).click()
  await shown('doomed', 0)
  await page.getByRole('button', { name: 'Deleted' }).click()
  const row = page.locator('.deleted tr', { hasText: 'doomed' })
  expect(await row.textContent()).toContain('kubernetes-admin')
  await row.getByRole('link').click()
  await page.locator('h1', { hasText: 'doomed' }).waitFor()
  await page.locator('.chip.past').waitFor()
  await page.goto(to(`/list/core/v1/configmaps?ns=${namespace}&vs=${before}`))
  await poll(() => page.locator('.table-row.removed', { hasText: 'doomed' }).count()).toBe(1)
})

test('the strip moves through time by the keyboard, and back to live', async () => {
  await page.goto(to(`/list/core/v1/configmaps?ns=${namespace}`))
  const strip = page.getByRole('slider', { name: 'Moment' })
  await strip.focus()
  await page.keyboard.press('Home')
  await poll(() => page.url()).toMatch(/at=\d+/)
  await page.locator('.shell.in-past').waitFor()
  await page.keyboard.press('End')
  await poll(() => page.url()).not.toContain('at=')
})

/** Writes another text into the editor; it is short enough to be drawn whole. */
async function rewrite(change: (text: string) => string): Promise<void> {
  // Not the editor that only shows: it is there until this one is loaded.
  const content = page.locator('.editor .cm-content[aria-label^="Edit"]')
  await content.click()
  const text = async (): Promise<string> => (await content.locator('.cm-line').allTextContents()).join('\n')
  await poll(text).toContain('apiVersion')
  const before = await text()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(change(before))
}

test('an edit is previewed; who was faster is told, and the change goes on top of theirs', async () => {
  await page.goto(to(`/object/core/v1/configmaps/${namespace}/kept?tab=yaml`))
  await page.getByRole('button', { name: 'Edit', exact: true }).click()
  await kube.ask('PATCH', `${core}/configmaps/kept`, { data: { theirs: 'yes' } })
  await rewrite((text) => text.replace(/a: '1'/, "a: 'mine'"))
  await page.getByRole('button', { name: 'Preview' }).click()
  await poll(() => page.getByRole('alert').textContent()).toContain('Somebody was faster')
  await page.getByRole('button', { name: 'Take it up' }).click()
  await page.getByRole('button', { name: 'Preview' }).click()
  await page.getByRole('button', { name: 'Apply' }).click()
  await poll(async () => (await kube.ask('GET', `${core}/configmaps/kept`))['data'].a).toBe('mine')
})

test('a Deployment is scaled, and rolled back with a preview', async () => {
  await page.goto(to(`/object/apps/v1/deployments/${namespace}/web`))
  await page.getByRole('button', { name: 'Scale' }).click()
  await page.getByRole('spinbutton', { name: 'Replicas' }).fill('3')
  await poll(() => page.getByRole('dialog').textContent()).toContain('kubectl scale deployments/web -n lab --replicas=3')
  await page.getByRole('dialog').getByRole('button', { name: 'Scale', exact: true }).click()
  await poll(async () => (await kube.ask('GET', `${apps}/deployments/web`))['spec'].replicas).toBe(3)
  await kube.ask('PATCH', `${apps}/deployments/web`, { spec: { template: { spec: { containers: [{ name: 'web', image: 'web:2' }] } } } }, 'application/strategic-merge-patch+json')
  await page.getByRole('tab', { name: 'Revisions' }).click()
  await page.locator('tr', { hasText: 'web:1' }).getByRole('button', { name: 'Roll back' }).click()
  await poll(() => page.getByRole('dialog').locator('.cm-content').first().textContent()).toContain('web:2')
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back', exact: true }).click()
  await poll(async () => (await kube.ask('GET', `${apps}/deployments/web`))['spec'].template.spec.containers[0].image).toBe('web:1')
  await page.getByRole('tab', { name: 'History' }).click()
  await poll(() => page.locator('.lane-item', { hasText: 'spec.template.spec.containers[web].image' }).count()).toBeGreaterThan(1)
})

test('why a pod waits: every node and what it lacks', async () => {
  await page.goto(to(`/object/core/v1/pods/${namespace}/huge?tab=why`))
  await page.locator('.verdict.bad', { hasText: 'fits nowhere' }).waitFor()
  expect(await page.locator('.matrix tr', { hasText: 'node-0' }).textContent()).toContain('Insufficient cpu')
  expect(await page.locator('.matrix tr', { hasText: 'node-0' }).textContent()).toContain('500 wanted')
  const placed = (await kube.ask('GET', `${core}/pods?labelSelector=app%3Dweb`))['items'][0]
  await page.goto(to(`/object/core/v1/pods/${namespace}/${placed.metadata.name}?tab=why`))
  await page.locator('.matrix tr.winner', { hasText: placed.spec.nodeName }).waitFor()
})

test('a node is cordoned, uncordoned and drained, with all that stands in the way told before', () => checkNodeActions({ page, kube, namespace, to }))

test('a Deployment is paused, resumed, restarted, and deleted without what it owns', () => checkDeploymentActions({ page, kube, namespace, to }))

test('logs come as they are printed, and can be searched; a shell runs in the container', async () => {
  await page.goto(to(`/object/core/v1/pods/${namespace}/printer?tab=logs`))
  await page.locator('.log-line', { hasText: 'line ' }).first().waitFor({ timeout: 30_000 })
  expect(await page.locator('.log-line').first().textContent()).toContain('<img')
  await page.getByLabel('Search the lines').fill('line 1')
  await poll(() => page.locator('.log-line mark').count()).toBeGreaterThan(0)
  await page.getByRole('tab', { name: 'Terminal' }).click()
  await page.getByRole('button', { name: 'Open a shell' }).click()
  await page.locator('.terminal .xterm').waitFor()
  await page.waitForTimeout(500)
  await page.keyboard.type('echo $((40+2))-shell\n')
  await poll(() => page.locator('.terminal .xterm-rows').textContent()).toContain('42-shell')
})

test('SQL answers, says what is wrong, and tells strangers\' text as text', async () => {
  await page.goto(to(`/sql?query=${encodeURIComponent(`select name, data from v1.configmaps where namespace = '${namespace}' and name = 'kept'`)}`))
  const run = page.getByRole('button', { name: /^Run/ })
  await poll(async () => {
    await run.click()
    return await page.locator('.result').textContent({ timeout: 2_000 }).catch(() => '')
  }).toContain('onerror')
  await page.goto(to(`/sql?query=${encodeURIComponent('select nam from v1.pods')}`))
  await run.click()
  await poll(() => page.getByRole('alert').textContent()).toContain('column "nam" does not exist')
  await page.goto(to(`/sql?query=${encodeURIComponent('delete from shiplog.objects')}`))
  await run.click()
  await poll(() => page.getByRole('alert').textContent()).toMatch(/permission denied|read-only/)
})

test('what strangers wrote stays text', async () => {
  for (const path of [`/object/apps/v1/deployments/${namespace}/web`, `/object/core/v1/configmaps/${namespace}/kept`, `/object/core/v1/configmaps/${namespace}/kept?tab=history`, '/list/rbac.authorization.k8s.io/v1/clusterroles']) {
    await page.goto(to(path))
    await page.locator('.panel > *, .table-row, .empty').first().waitFor()
  }
  await page.goto(to(`/object/core/v1/configmaps/${namespace}/kept?tab=events`))
  await poll(() => page.locator('table.events').textContent()).toContain('onerror')
  expect(await page.evaluate(() => (globalThis as unknown as { hacked?: number }).hacked)).toBeUndefined()
  expect(await page.locator('img[src="x"]').count()).toBe(0)
})

test('who may little is shown little, and told why', async () => {
  const joe = await visitorOf(browser)
  await joe.page.goto(to(`/list/apps/v1/deployments?ns=${namespace}`))
  await joe.page.getByLabel('Or a bearer token').fill('limited-token')
  await joe.page.getByRole('button', { name: 'Sign in' }).click()
  await joe.page.getByRole('link', { name: 'web', exact: true }).waitFor()
  await joe.page.goto(to(`/list/core/v1/secrets?ns=${namespace}`))
  await poll(() => joe.page.getByRole('alert').textContent()).toContain('User "joe" cannot list resource "secrets"')
  await poll(() => joe.page.locator('.nav a.dim', { hasText: 'Secrets' }).count()).toBe(1)
  await joe.page.goto(to(`/object/apps/v1/deployments/${namespace}/web`))
  const remove = joe.page.getByRole('button', { name: 'Delete' })
  await poll(() => remove.getAttribute('title')).toContain('You may not delete deployments')
  await remove.click({ force: true })
  expect(await joe.page.getByRole('dialog').count()).toBe(0)
  expect(await k('auth', 'can-i', 'delete', 'deployments', '-n', namespace, '--as', 'joe').catch(() => 'no\n')).toContain('no')
  const asked = await joe.page.evaluate(async (paths) => {
    const proof = localStorage.getItem('shiplog-proof')!
    return await Promise.all(paths.map(async (path) => (await fetch(path, { headers: { 'shiplog-session-proof': proof } })).status))
  }, [
    `/shiplog/v1/history?resource=configmaps&namespace=${namespace}&name=kept`,
    `/shiplog/v1/history?resource=secrets&namespace=${namespace}&name=any`,
    `/shiplog/v1/deleted?resource=configmaps&namespace=${namespace}`,
    '/shiplog/v1/deleted?resource=configmaps',
    `/shiplog/v1/explain?namespace=${namespace}&name=huge`,
    '/shiplog/v1/timeline?marks=5',
    '/shiplog/v1/events',
  ])
  expect(asked).toEqual([200, 403, 200, 403, 403, 200, 403])
  await joe.page.goto(to('/sql'))
  await joe.page.getByRole('button', { name: /^Run/ }).click()
  await poll(() => joe.page.getByRole('alert').textContent()).toContain('cannot post path')
  expect(joe.complaints).toEqual([])
  await joe.context.close()
})

test('a session that only looks changes nothing, even for an administrator', async () => {
  const looking = await visitorOf(browser)
  await enter(looking, await linkFor(kube, true))
  await looking.page.locator('.chip', { hasText: 'read-only' }).waitFor()
  const answer = await looking.page.evaluate(async (path) => {
    const proof = localStorage.getItem('shiplog-proof')!
    return await (await fetch(path, { method: 'DELETE', headers: { 'shiplog-session-proof': proof } })).json()
  }, `${core}/configmaps/kept`)
  expect(answer).toMatchObject({ code: 403, message: expect.stringContaining('read-only') })
  await looking.context.close()
})

const looks = [
  ...['/', `/list/core/v1/pods?ns=${namespace}`, `/object/apps/v1/deployments/${namespace}/web?tab=history`],
  ...[`/object/core/v1/pods/${namespace}/huge?tab=why`, `/object/apps/v1/deployments/${namespace}/web`],
  ...[`/object/apps/v1/deployments/${namespace}/web?tab=yaml`, `/map?ns=${namespace}`, '/sql'],
]

test.each([false, true])('axe finds nothing serious (dark: %s)', async (dark) => {
  const visitor = await visitorOf(browser, { dark })
  await enter(visitor, await linkFor(kube))
  await visitor.page.locator('.shell').waitFor()
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const found: string[] = []
  // The frame is the same on every page, and of the dark only the colours are new: neither is looked at again and again.
  const runOnly = dark ? ", runOnly: ['color-contrast']" : ''
  for (const [index, path] of (dark ? looks.slice(0, 4) : looks).entries()) {
    await visitor.page.goto(to(path))
    await visitor.page.locator('.page h1').first().waitFor()
    await poll(() => visitor.page.locator('.page [role=status], .page [aria-busy=true]').count()).toBe(0)
    const context = index === 0 ? 'document' : "document.querySelector('#page')"
    // Evaluated by the tool, not by the page: its policy would refuse a script of another origin.
    const serious = await visitor.page.evaluate(`(async () => { ${axe}; const { violations } = await axe.run(${context}, { resultTypes: ['violations']${runOnly} });
      return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 160))) })()`)
    found.push(...(serious as string[]).map((one) => `${path} ${one}`))
  }
  expect(found).toEqual([])
  expect(visitor.complaints).toEqual([])
  await visitor.context.close()
})

test('a page from elsewhere cannot frame it, and it runs no script but its own', async () => {
  const response = await page.goto(to('/'))
  const policy = response!.headers()['content-security-policy']!
  for (const part of ["script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) expect(policy).toContain(part)
  expect(policy).not.toContain('unsafe')
  const ran = await page.evaluate(`(() => {
    const script = document.createElement('script')
    script.textContent = 'window.inline = 1'
    document.head.append(script)
    return window.inline
  })()`)
  expect(ran).toBeUndefined()
  // Built for users, whatever built it first: React's own checks make everything several times slower.
  const [script] = await page.locator('script[src]').evaluateAll((scripts: readonly { readonly src: string }[]) => scripts.map(({ src }) => src))
  expect(await (await page.request.get(script!)).text()).not.toContain('jsxDEV')
  admin.complaints.splice(0, admin.complaints.length, ...admin.complaints.filter((text) => !/inline script/.test(text)))
})

test('the console has said nothing all along', () => {
  expect(admin.complaints).toEqual([])
})
