// `envtest/bin/etcd`: what launchers of a test control plane start beside the API server. The API server here has a log of its
// own and asks no etcd: this answers what launchers ask (is it up, which version) and keeps nothing.
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { type FlagTable, helpText, parseFlags } from './flags.ts'
import { endWithLauncher } from './launcher.ts'

const flags = {
  'advertise-client-urls': { kind: 'list', help: 'Taken and not looked at.' },
  'data-dir': { kind: 'value', help: 'Made when it is not there; nothing is kept in it.' },
  'listen-client-urls': { kind: 'list', help: 'Where /health and /version are answered. Default http://127.0.0.1:2379.' },
  'listen-peer-urls': { kind: 'list', help: 'Taken and not listened on: there are no peers.' },
  'unsafe-no-fsync': { kind: 'switch', help: 'Taken and not looked at.' },
  version: { kind: 'switch', help: 'Print the version and end.' },
} as const satisfies FlagTable

/** What upstream's kube-apiserver of this version wants. */
const etcdVersion = '3.6.5'

const say = (line: string): void => void process.stderr.write(`etcd: ${line}\n`)

const answers: Readonly<Record<string, object>> = {
  '/health': { health: 'true', reason: '' },
  '/livez': { health: 'true', reason: '' },
  '/readyz': { health: 'true', reason: '' },
  '/version': { etcdserver: etcdVersion, etcdcluster: '3.6.0', storage: '3.6.0' },
}

function main(args: readonly string[]): void {
  const given = parseFlags(flags, args)
  if (given.wantsHelp) return void process.stdout.write(helpText('etcd for test control planes of Shiplog', flags))
  if (given.isOn('version')) return void process.stdout.write(`etcd Version: ${etcdVersion}\n`)
  if (given.unknown.length > 0) say(`not looked at: ${given.unknown.map((name) => `--${name}`).join(', ')}`)
  const dataDir = given.value('data-dir')
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const urls = given.list('listen-client-urls')
  for (const text of urls.length > 0 ? urls : ['http://127.0.0.1:2379']) listen(new URL(text))
  endWithLauncher(() => Promise.resolve(), say)
}

function listen({ hostname, port, host }: URL): void {
  const server = createServer((request, reply) => {
    const answer = answers[(request.url ?? '').split('?')[0]!]
    reply.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' })
    reply.end(answer ? JSON.stringify(answer) : '')
  })
  server.on('error', (error) => {
    say(error.message)
    process.exit(1)
  })
  server.listen(Number(port), hostname.replace(/^\[(.*)\]$/, '$1'), () => say(`serving insecure client requests on ${host}`))
}

try {
  main(process.argv.slice(2))
} catch (error) {
  say((error as Error).message)
  process.exit(1)
}
