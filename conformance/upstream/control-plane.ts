// Upstream's API server with its etcd on a fresh directory, served as a cluster of ours is: HTTPS on a free port, an
// administrator's certificate. Nothing else of upstream runs, so nothing moves by itself (component.ts has the others).
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPki } from '@shiplog/all-in-one/pki'
import { kubeconfigText } from '@shiplog/all-in-one/kubeconfig'
import { systemClock as clock } from '@shiplog/runtime/clock'
import { createHttpClient, type HttpClient } from '../src/http.ts'
import { runComponent, type UpstreamComponent } from './component.ts'
import { provideUpstream } from './provide.ts'

export interface UpstreamControlPlane {
  readonly server: string
  /** Path of the administrator's. */
  readonly kubeconfig: string
  readonly http: HttpClient
  /** Of etcd and the API server. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

const readyTimeoutMs = 90_000

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

export async function startUpstream(
  progress: (line: string) => void,
  serviceCidr = '10.96.0.0/12',
): Promise<UpstreamControlPlane> {
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
  const components: UpstreamComponent[] = []
  const start = (path: string, args: readonly string[]): void => void components.push(runComponent(path, args))
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
    ...['--service-cluster-ip-range', serviceCidr],
    ...['--authorization-mode', 'Node,RBAC', '--enable-admission-plugins', 'NodeRestriction'],
    // As every installer sets it.
    '--allow-privileged=true',
    ...['--v', '0'],
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
    for (const component of components.toReversed()) await component.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  const deadlineMs = clock.nowMs() + readyTimeoutMs
  for (;;) {
    const ready = await http.send({ path: '/readyz' }).catch(() => undefined)
    if (ready?.code === 200) return { server, kubeconfig, http, pids: components.map(({ pid }) => pid), stop }
    if (clock.nowMs() > deadlineMs || components.some(({ exited }) => exited)) {
      const output = components.map((component) => component.output().slice(-3_000)).join('\n')
      await stop()
      throw new Error(`upstream's API server is not ready:\n${output}`)
    }
    await clock.sleep(200)
  }
}
