// A real browser, signed in to the dashboard of a cluster.
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { provideChromium } from './chromium.ts'

export async function launchBrowser(): Promise<Browser> {
  const { executablePath, env } = await provideChromium()
  return await chromium.launch({
    executablePath,
    env: { ...process.env, ...env } as Record<string, string>,
    // Tests run as root, and in places without a shared memory of their own.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--force-color-profile=srgb'],
  })
}

export interface Visitor {
  readonly context: BrowserContext
  readonly page: Page
  /** What the console said that it should not: errors, refusals of the page's policy, exceptions. */
  readonly complaints: string[]
}

export interface VisitorOptions {
  readonly dark?: boolean
  readonly width?: number
  readonly height?: number
  readonly scale?: number
}

/** Somebody with a window of their own; the cluster's authority is not one that the browser knows. */
export async function visitorOf(browser: Browser, { dark = false, width = 1440, height = 900, scale = 1 }: VisitorOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme: dark ? 'dark' : 'light',
  })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    // An answer that refuses is an answer: what it says is the page's to show.
    if (message.type() === 'error' && !/Failed to load resource: the server responded/.test(message.text())) complaints.push(`${message.text()} (${message.location().url}:${message.location().lineNumber}) at ${page.url()}`)
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  return { context, page, complaints }
}
