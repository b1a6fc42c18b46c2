// `shiplog status`: asks the lock who runs, and the running gateway how it is, with the administrator's certificate.
import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join, resolve } from 'node:path'
import { isAlive, lockHolder } from '@shiplog/runtime/directory-lock'
import { recordedLog } from '@shiplog/all-in-one/open-log'
import { clusterFiles } from './cluster-files.ts'

const askTimeoutMs = 5_000

/** Gives the exit code. */
export async function status(options: { readonly dataDir: string }): Promise<number> {
  const dataDir = resolve(options.dataDir)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const holder = lockHolder(dataDir)
  if (holder === undefined || !isAlive(holder)) {
    say(`not running: no shiplog holds ${dataDir}`)
    return 1
  }
  say(`running: process ${holder.pid} on ${dataDir}, log ${recordedLog(dataDir) ?? 'not opened yet'}`)
  const { kubeconfig, pki } = clusterFiles(dataDir)
  const server = /^ {4}server: (\S+)$/m.exec(readFileSync(kubeconfig, 'utf8'))?.[1]
  if (server === undefined) throw new Error(`${kubeconfig} names no server`)
  const answer = await ask(`${server}/readyz?verbose`, pki)
  say(`API: ${server} (${answer.code === 200 ? 'ready' : 'not ready'})`)
  for (const line of answer.text.trim().split('\n')) say(`  ${line}`)
  if (existsSync(join(dataDir, 'postgres-url'))) {
    const { sqlStatus } = await import('../sql/sql-status.ts')
    say(await sqlStatus(dataDir))
  }
  return answer.code === 200 ? 0 : 1
}

function ask(url: string, pki: string): Promise<{ code: number; text: string }> {
  const file = (name: string): Buffer => readFileSync(join(pki, name))
  return new Promise((resolve, reject) => {
    request(
      url,
      { ca: file('ca.crt'), cert: file('admin.crt'), key: file('admin.key'), timeout: askTimeoutMs },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => resolve({ code: response.statusCode ?? 0, text }))
      },
    )
      .on('timeout', function (this: { destroy(error: Error): void }) {
        this.destroy(new Error(`no answer from ${url} within ${askTimeoutMs} ms`))
      })
      .on('error', reject)
      .end()
  })
}
