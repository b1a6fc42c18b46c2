// The bridge to the checkout's own tool that finds or provides a nats-server; loaded only when a log asks for one.
import type { OpenLogOptions } from '@shiplog/all-in-one/open-log'

interface Provider {
  provideNatsServer(options: {
    readonly fetch: boolean
    readonly progress: (line: string) => void
  }): Promise<{ readonly path: string; readonly version: string; readonly how: string } | undefined>
}

export function findNatsServer(progress: (line: string) => void): OpenLogOptions['findNatsServer'] {
  return async ({ fetch }) => {
    const tool = new URL('../../../../tools/nats-server/provide.ts', import.meta.url)
    const { provideNatsServer } = (await import(tool.href)) as Provider
    return provideNatsServer({ fetch, progress: fetch ? progress : () => undefined })
  }
}
