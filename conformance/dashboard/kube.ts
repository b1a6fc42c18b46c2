// Asks a cluster as its administrator, for tests and pictures.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'

export type AnyObject = Record<string, any>

export interface Kube {
  readonly url: string
  ask(method: string, path: string, body?: unknown, type?: string): Promise<AnyObject>
}

export function kubeOf(dataDir: string, url: string): Kube {
  const [ca, cert, key] = ['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFileSync(join(dataDir, 'pki', name)))
  return {
    url,
    ask: (method, path, body, type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json') =>
      new Promise((resolve, reject) => {
        const call = request(`${url}${path}`, { method, ...{ ca, cert, key }, headers: { 'content-type': type }, agent: false }, (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          response.on('end', () => {
            const isJson = String(response.headers['content-type']).startsWith('application/json')
            const answer = isJson && text !== '' ? (JSON.parse(text) as AnyObject) : { text }
            if ((response.statusCode ?? 500) < 400) resolve(answer)
            else reject(new Error(`${method} ${path}: ${response.statusCode} ${answer['message'] ?? text}`))
          })
        })
        call.on('error', reject)
        call.end(body === undefined ? undefined : JSON.stringify(body))
      }),
  }
}

/** A link for one browser. */
export async function linkFor(kube: Kube, readOnly = false): Promise<string> {
  const { path } = await kube.ask('POST', '/shiplog/v1/dashboard/links', { readOnly })
  return `${kube.url}${path as string}`
}
