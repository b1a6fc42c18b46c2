// An Ingress in front of real pods, as a user makes it with kubectl: by host, with TLS, through a rolling update under steady
// requests and a kill of the ingress. Where a machine cannot have such nodes the file says why and leaves the rest out.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Agent, get as getHttp } from 'node:http'
import { get as getHttps } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../src/context.ts'
import { busyboxImage as image, type ContainerCluster, startContainerCluster, whyNoContainers } from './container-cluster.ts'

const why = await whyNoContainers()

const startTimeoutMs = 240_000
const betweenRequestsMs = 10

const freePort = (): Promise<number> =>
  new Promise((settle) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => settle(port))
    })
  })

describe.skipIf(why !== undefined)('an Ingress in front of containers', () => {
  let cluster: ContainerCluster
  let ports = { http: 0, https: 0 }

  const k = (...args: string[]): Promise<string> => cluster.k(...args)

  beforeAll(async () => {
    ports = { http: await freePort(), https: await freePort() }
    const args = ['--nodes', '2', '--no-dashboard', '--ingress']
    args.push('--ingress-http-port', String(ports.http), '--ingress-https-port', String(ports.https))
    cluster = await startContainerCluster(args)
    await cluster.apply(deployment, service)
    await k('create', 'ingress', 'web', '--rule=shop.example/*=web:http')
    await k('wait', '--for=condition=Available', 'deployment/web', '--timeout=120s')
    await k('wait', '--for=jsonpath={.status.loadBalancer.ingress[0].ip}=127.0.0.1', 'ingress/web', '--timeout=60s')
  }, startTimeoutMs)
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
  }, startTimeoutMs)

  const script = 'mkdir -p /tmp/www && echo $VERSION $(hostname) > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www'
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 10,
          containers: [
            {
              ...{ name: 'web', image, command: ['sh', '-c', script], env: [{ name: 'VERSION', value: 'one' }] },
              readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
              lifecycle: { preStop: { sleep: { seconds: 3 } } },
            },
          ],
        },
      },
    },
  }
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  }

  const ask = (host = 'shop.example', agent: Agent | false = false): Promise<{ status: number; text: string }> =>
    new Promise((settle, reject) => {
      const asked = getHttp({ host: '127.0.0.1', port: ports.http, headers: { host }, agent }, (answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
        answer.on('end', () => settle({ status: answer.statusCode!, text }))
        answer.on('error', reject)
      })
      asked.on('error', reject)
    })

  test('requests reach all pods by host, and nothing by another', async () => {
    const seen = new Set<string>()
    for (let i = 0; i < 10; i++) {
      const { status, text } = await ask()
      expect(status).toBe(200)
      seen.add(text)
    }
    expect(seen.size).toBe(2)
    expect((await ask('other.example')).status).toBe(404)
  }, 60_000)

  test('a certificate that kubectl made is shown, and plain HTTP is sent there', async () => {
    const pair = newKeyPair()
    const validity = { notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 86_400_000 }
    const certificate = issueCertificate({ use: 'server', commonName: 'safe.example', dnsNames: ['safe.example'], ...validity }, pair)
    writeFileSync(join(cluster.directory, 'tls.crt'), certificate)
    writeFileSync(join(cluster.directory, 'tls.key'), keyPem(pair.privateKey))
    await k('create', 'secret', 'tls', 'safe', `--cert=${cluster.directory}/tls.crt`, `--key=${cluster.directory}/tls.key`)
    await k('create', 'ingress', 'safe', '--rule=safe.example/*=web:http,tls=safe')
    await eventually(async () => {
      const status = await new Promise<number>((settle, reject) => {
        const options = { host: '127.0.0.1', port: ports.https, servername: 'safe.example', headers: { host: 'safe.example' }, ca: certificate, agent: false as const }
        getHttps(options, (answer) => {
          answer.resume()
          settle(answer.statusCode!)
        }).on('error', reject)
      })
      assert.equal(status, 200)
    })
    expect((await ask('safe.example')).status).toBe(308)
  }, 60_000)

  test('a rolling update under steady requests fails none of them', async () => {
    const failed: string[] = []
    const versions = new Map<string, number>()
    const open = new Set<Promise<void>>()
    let isOver = false
    const steady = (async () => {
      while (!isOver) {
        const one: Promise<void> = ask()
          .then(({ status, text }) => {
            if (status === 200) versions.set(text.split(' ')[0]!, (versions.get(text.split(' ')[0]!) ?? 0) + 1)
            else failed.push(String(status))
          }, (error: Error) => void failed.push(error.message))
          .finally(() => open.delete(one))
        open.add(one)
        await new Promise((settle) => setTimeout(settle, betweenRequestsMs))
      }
    })()
    await k('set', 'env', 'deployment/web', 'VERSION=two')
    await k('rollout', 'status', 'deployment/web', '--timeout=120s')
    await eventually(async () => {
      for (let i = 0; i < 10; i++) assert.match((await ask()).text, /^two /)
    })
    // Those of before end only now, after their pause: what was still sent to them would fail.
    await eventually(async () => assert.equal((await k('get', 'pods', '-l', 'app=web', '-o', 'name')).trim().split('\n').length, 2))
    isOver = true
    await steady
    await Promise.all(open)
    process.stderr.write(`rolling update: ${[...versions].map(([version, count]) => `${count} of ${version}`).join(', ')}, ${failed.length} failed\n`)
    expect(failed).toEqual([])
    expect([...versions.keys()].sort()).toEqual(['one', 'two'])
  }, 180_000)

  test('an ingress that is killed comes back by itself, and what is wrong with an Ingress is an Event of it', async () => {
    process.kill(childOf(cluster.pid, 'services/ingress/src/main.ts'), 'SIGKILL')
    await eventually(async () => assert.equal((await ask()).status, 200))
    await k('create', 'ingress', 'broken', '--rule=broken.example/*=gone:80')
    await eventually(async () =>
      assert.match(await k('get', 'events', '--field-selector=involvedObject.name=broken'), /ServiceNotFound .*service "default\/gone" does not exist/),
    )
    expect((await ask('broken.example')).status).toBe(503)
  }, 60_000)
})

/** The process below `ancestor` whose command line names this file. */
function childOf(ancestor: number, file: string): number {
  const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isSafeInteger)) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(file) && parentOf(pid) === ancestor) return pid
    } catch {
      // Gone meanwhile.
    }
  }
  throw new Error(`${ancestor} has no child ${file}`)
}
