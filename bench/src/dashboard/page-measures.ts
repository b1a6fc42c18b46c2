// What a page in Chromium costs whoever looks at it: tasks that hold it up, frames that come late, memory. On a busy machine
// a frame is late because others have the core, so the time that the page's own thread has used is taken as well.
import type { CDPSession, Page } from 'playwright-core'

export interface PageCost {
  /** Tasks of more than 50 ms on the clock, and the longest. */
  readonly longTasks: number
  readonly longestTaskMs: number
  /** CPU time of the page's main thread, of a second on the clock. */
  readonly cpuMsPerSecond: number
}

export interface ScrollCost extends PageCost {
  readonly frames: number
  /** The longest time between two frames. */
  readonly longestGapMs: number
  /** CPU time of the page's main thread, of a frame. */
  readonly cpuMsPerFrame: number
}

export interface PageMeasures {
  /** Of the page while something is done. */
  cost(during: () => Promise<unknown>): Promise<PageCost>
  /** Turns the wheel for two seconds. */
  scroll(): Promise<ScrollCost>
  /** Bytes of objects that are alive. */
  heapBytes(): Promise<number>
  /** Requests of the page since it was opened, by the id of the connection that they used. */
  connections(): ReadonlySet<string>
}

/** To be set before the page is opened. */
export const watchTasks = `window.tasks = []
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.tasks.push(entry.duration) }).observe({ entryTypes: ['longtask'] })`

const watchFrames = `window.gaps = []; window.isTurning = true
{ let last = performance.now(); const frame = (now) => { window.gaps.push(now - last); last = now; if (window.isTurning) requestAnimationFrame(frame) }; requestAnimationFrame(frame) }`

const turns = 60
const turnPixels = 900
const turnEveryMs = 30

export async function measuresOf(page: Page): Promise<PageMeasures> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  await session.send('Network.enable')
  const used = new Set<string>()
  session.on('Network.responseReceived', ({ response }) => used.add(`${response.connectionId} ${response.protocol}`))
  const cost = async (during: () => Promise<unknown>): Promise<PageCost> => {
    await page.evaluate('window.tasks.length = 0')
    const [beganMs, cpuBefore] = [performance.now(), await cpuMs(session)]
    await during()
    const cpu = (await cpuMs(session)) - cpuBefore
    const tasks = await page.evaluate<number[]>('window.tasks')
    return { longTasks: tasks.length, longestTaskMs: Math.max(0, ...tasks), cpuMsPerSecond: cpu / ((performance.now() - beganMs) / 1_000) }
  }
  return {
    cost,
    async scroll() {
      let [gaps, cpu]: [number[], number] = [[], 0]
      const whole = await cost(async () => {
        const before = await cpuMs(session)
        await page.evaluate(watchFrames)
        await page.mouse.move(700, 500)
        for (let turn = 0; turn < turns; turn++) {
          await page.mouse.wheel(0, turnPixels)
          await page.waitForTimeout(turnEveryMs)
        }
        gaps = await page.evaluate<number[]>('window.isTurning = false, window.gaps.slice(1)')
        cpu = (await cpuMs(session)) - before
      })
      return { ...whole, frames: gaps.length, longestGapMs: Math.max(0, ...gaps), cpuMsPerFrame: cpu / Math.max(1, gaps.length) }
    },
    async heapBytes() {
      await session.send('HeapProfiler.collectGarbage')
      return (await session.send('Runtime.getHeapUsage')).usedSize
    },
    connections: () => used,
  }
}

async function cpuMs(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics')
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1_000
}
