// `shiplog dashboard`: a link that signs a browser in, as the user of the kubeconfig. The code stands behind the #, so that it
// is in no request and in no log.
import { spawn } from 'node:child_process'
import { request } from 'node:https'
import { resolve } from 'node:path'
import { type Credentials, credentialsIn } from '../kubeconfig-credentials.ts'
import { clusterFiles } from './cluster-files.ts'

export interface DashboardOptions {
  readonly dataDir: string
  readonly kubeconfig?: string
  readonly as?: string
  readonly asGroup: readonly string[]
  readonly readOnly?: boolean
  readonly open?: boolean
}

const askTimeoutMs = 10_000

/** Gives the exit code. */
export async function dashboard(options: DashboardOptions): Promise<number> {
  const credentials = credentialsIn(options.kubeconfig ?? clusterFiles(resolve(options.dataDir)).kubeconfig)
  const { path, lifetimeSeconds } = await askForLink(credentials, options)
  const link = `${credentials.server}${path}`
  process.stdout.write(`${link}\n`)
  process.stderr.write(`It works once, within ${lifetimeSeconds} s.\n`)
  if (options.open) openBrowser(link)
  return 0
}

function askForLink(
  { server, token, ...tls }: Credentials,
  { as, asGroup, readOnly }: DashboardOptions,
): Promise<{ readonly path: string; readonly lifetimeSeconds: number }> {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(as === undefined ? {} : { 'impersonate-user': as }),
    ...(asGroup.length === 0 ? {} : { 'impersonate-group': [...asGroup] }),
  }
  return new Promise((settle, reject) => {
    const call = request(
      `${server}/shiplog/v1/dashboard/links`,
      { ...tls, method: 'POST', headers, timeout: askTimeoutMs, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          const answer = JSON.parse(text) as { path: string; lifetimeSeconds: number; message?: string }
          if (response.statusCode === 201) settle(answer)
          else reject(new Error(answer.message ?? `${server} answered ${response.statusCode}`))
        })
      },
    )
    call.on('timeout', () => call.destroy(new Error(`no answer within ${askTimeoutMs} ms`)))
    call.on('error', (error) => reject(new Error(`the cluster at ${server} cannot be asked: ${error.message}`, { cause: error })))
    call.end(JSON.stringify({ readOnly: readOnly === true }))
  })
}

function openBrowser(link: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const child = spawn(program, [link], { stdio: 'ignore', detached: true })
  child.on('error', () => process.stderr.write(`${program} is not there: open the link yourself.\n`))
  child.unref()
}
