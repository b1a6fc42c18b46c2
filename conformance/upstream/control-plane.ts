// Upstream's API server with its etcd on a fresh directory, served as a cluster of ours is: HTTPS on a free port, an
// administrator's certificate. Nothing else of upstream runs, so nothing moves by itself.
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPki } from '@shiplog/all-in-one/pki'
import { kubeconfigText } from '@shiplog/all-in-one/kubeconfig'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { createHttpClient, type HttpClient } from '../src/http.ts'
import { provideUpstream } from './provide.ts'

export interface UpstreamControlPlane {
  readonly server: string
  /** Path of the administrator's. */
  readonly kubeconfig: string
  readonly http: HttpClient
  stop(): Promise<void>
}

const readyTimeoutMs = 90_000
const stopTimeoutMs = 10_000
const outputCharactersMax = 100_000

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

export async function startUpstream(progress: (line: string) => void): Promise<UpstreamControlPlane> {
  const [etcd, apiserver] = [await provideUpstream('etcd', progress), await provideUpstream('kube-apiserver', progress)]
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-upstream-'))
  const pki = loadPki({ directory: join(directory, 'pki'), nowMs: clock.nowMs() })
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  const signing = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const signingKey = file('signing.key', signing.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString())
  const verifyingKey = file('signing.pub', signing.publicKey.export({ type: 'spki', format: 'pem' }).toString())
  const [clientPort, peerPort, port] = [await freePort(), await freePort(), await freePort()]
  const children: ChildProcess[] = []
  let output = ''
  const start = (path: string, args: readonly string[]): void => {
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-outputCharactersMax)
      })
    }
  }
  start(etcd, [
    ...['--data-dir', join(directory, 'etcd')],
    ...['--listen-client-urls', `http://127.0.0.1:${clientPort}`],
    ...['--advertise-client-urls', `http://127.0.0.1:${clientPort}`],
    ...['--listen-peer-urls', `http://127.0.0.1:${peerPort}`],
    ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peerPort}`],
    ...['--initial-cluster', `default=http://127.0.0.1:${peerPort}`],
    ...['--log-level', 'warn'],
  ])
  start(apiserver, [
    ...['--etcd-servers', `http://127.0.0.1:${clientPort}`],
    ...['--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1', '--secure-port', String(port)],
    ...['--tls-cert-file', file('server.crt', pki.server.certificate)],
    ...['--tls-private-key-file', file('server.key', pki.server.key)],
    ...['--client-ca-file', file('ca.crt', pki.ca)],
    ...['--service-account-issuer', 'https://kubernetes.default.svc'],
    ...['--service-account-signing-key-file', signingKey, '--service-account-key-file', verifyingKey],
    ...['--service-cluster-ip-range', '10.96.0.0/12'],
    ...['--authorization-mode', 'Node,RBAC', '--enable-admission-plugins', 'NodeRestriction'],
    ...['--anonymous-auth=false', '--v', '0'],
  ])
  const server = `https://127.0.0.1:${port}`
  const kubeconfig = file('kubeconfig', kubeconfigText({ server, ca: pki.ca, ...pki.admin }))
  const http = createHttpClient({
    server,
    ca: Buffer.from(pki.ca),
    cert: Buffer.from(pki.admin.certificate),
    key: Buffer.from(pki.admin.key),
  })
  const stop = async (): Promise<void> => {
    http.close()
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = new Promise((done) => child.once('exit', done))
      child.kill('SIGTERM')
      const late = new AbortController()
      await Promise.race([ended, clock.sleep(stopTimeoutMs, late.signal).then(() => child.kill('SIGKILL'))])
      late.abort()
    }
    rmSync(directory, { recursive: true, force: true })
  }
  const deadlineMs = clock.nowMs() + readyTimeoutMs
  for (;;) {
    const ready = await http.send({ path: '/readyz' }).catch(() => undefined)
    if (ready?.code === 200) return { server, kubeconfig, http, stop }
    if (clock.nowMs() > deadlineMs || children.some((child) => child.exitCode !== null)) {
      await stop()
      throw new Error(`upstream's API server is not ready:\n${output.slice(-5_000)}`)
    }
    await clock.sleep(200)
  }
}
