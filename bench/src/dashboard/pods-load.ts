// Many pods, made and then changed at a steady rate, for a page to look at.
import { Agent, request } from 'node:https'
import type { Credentials } from '../credentials.ts'

const namespaces = 20
const writers = 48
const nameDigits = 6

export interface PodsLoad {
  /** Makes them; they stay Pending, so that nothing but the changes below changes them. */
  fill(): Promise<void>
  /** Changes so many a second, each a pod by chance, until the promise is settled; gives how many were changed. */
  changeUntil(perSecond: number, over: Promise<unknown>): Promise<number>
  close(): void
}

export function podsLoad({ host, port, ca, cert, key }: Credentials, count: number): PodsLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: writers, ca, cert, key })
  const send = (method: string, path: string, body: object, type = 'application/json'): Promise<number> =>
    new Promise((resolve, reject) => {
      const call = request({ host, port, path, method, agent, headers: { 'content-type': type } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0))
      })
      call.on('error', reject)
      call.end(JSON.stringify(body))
    })
  const nameOf = (index: number): string => `worker-${String(index).padStart(nameDigits, '0')}`
  const collectionOf = (index: number): string => `/api/v1/namespaces/load-${index % namespaces}/pods`
  const podOf = (index: number): object => ({
    metadata: { name: nameOf(index), labels: { app: `app-${index % 100}`, tier: 'load' } },
    spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'registry.example.com/worker:1', resources: { requests: { cpu: '100m' } } }] },
  })
  const must = async (wanted: number, what: string, answer: Promise<number>): Promise<void> => {
    const code = await answer
    if (code !== wanted) throw new Error(`${what} was answered with ${code}`)
  }
  return {
    async fill() {
      for (let index = 0; index < namespaces; index++) await must(201, 'a namespace', send('POST', '/api/v1/namespaces', { metadata: { name: `load-${index}` } }))
      let next = 0
      const write = async (): Promise<void> => {
        for (let index = next++; index < count; index = next++) await must(201, `pod ${index}`, send('POST', collectionOf(index), podOf(index)))
      }
      await Promise.all(Array.from({ length: writers }, write))
    },
    async changeUntil(perSecond, over) {
      let [isOver, done, begun] = [false, 0, 0]
      const beganMs = performance.now()
      const ended = over.then(() => void (isOver = true), () => void (isOver = true))
      const write = async (): Promise<void> => {
        while (!isOver) {
          const number = begun++
          const waitMs = beganMs + (number * 1_000) / perSecond - performance.now()
          if (waitMs > 0) await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, waitMs))])
          if (isOver) return
          const index = Math.floor(Math.random() * count)
          await must(200, `pod ${index}`, send('PATCH', `${collectionOf(index)}/${nameOf(index)}`, { metadata: { labels: { touched: String(number) } } }, 'application/merge-patch+json'))
          done++
        }
      }
      await Promise.all(Array.from({ length: writers }, write))
      return done
    },
    close: () => agent.destroy(),
  }
}
