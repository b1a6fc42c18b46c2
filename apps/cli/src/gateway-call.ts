// One request to a running cluster, as the user of a kubeconfig.
import { request } from 'node:https'
import { credentialsIn } from './kubeconfig-credentials.ts'

/** A server that says nothing for so long is given up. */
const silenceMs = 30_000

/** The body of the answer; throws with the message of the Status when the cluster refuses. */
export function callGateway(kubeconfig: string, method: 'GET' | 'DELETE', path: string): Promise<any> {
  const { server, token, ...tls } = credentialsIn(kubeconfig)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return new Promise((settle, reject) => {
    const call = request(`${server}${path}`, { ...tls, method, headers, timeout: silenceMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const body = parsed(text)
        if (response.statusCode === 200) settle(body)
        else reject(new Error(body?.message ?? `the cluster answered ${response.statusCode}`))
      })
    })
    call.on('timeout', () => call.destroy(new Error(`${server} says nothing for ${silenceMs} ms`)))
    call.on('error', (error) => reject(new Error(`the cluster at ${server} cannot be asked: ${error.message}`, { cause: error })))
    call.end()
  })
}

function parsed(text: string): any {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
