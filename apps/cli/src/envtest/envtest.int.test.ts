// The programs of envtest/bin, started as launchers start them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { request } from 'node:https'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { definitionOf } from '@shiplog/domain/testing/custom-resource-definitions'
import { eventually } from '@shiplog/testing/eventually'
import { prepareEnvtest } from './prepare.ts'

const bin = resolve(import.meta.dirname, '..', '..', '..', '..', 'envtest', 'bin')
const deadlineMs = 20_000
let directory: string
const children: ChildProcess[] = []

// As projects start them: from bundles.
beforeAll(async () => void (await prepareEnvtest()))

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shiplog-envtest-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const freePort = (): Promise<number> =>
  new Promise((settle, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => settle(port))
    })
  })

function launch(program: string, args: readonly string[]): { readonly child: ChildProcess; output(): string } {
  const child = spawn(join(bin, program), args, { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return { child, output: () => output }
}

interface Got {
  readonly code: number
  readonly body: string
}

const get = (port: number, path: string, token?: string, sent?: object): Promise<Got> =>
  new Promise((settle, reject) => {
    const headers = { ...(token ? { authorization: `Bearer ${token}` } : {}), 'content-type': 'application/json' }
    const method = sent ? 'POST' : 'GET'
    request({ host: '127.0.0.1', port, path, method, headers, rejectUnauthorized: false }, (reply) => {
      let body = ''
      reply.setEncoding('utf8').on('data', (text: string) => (body += text))
      reply.on('end', () => settle({ code: reply.statusCode ?? 0, body }))
    })
      .on('error', reject)
      .end(sent && JSON.stringify(sent))
  })

test('kube-apiserver serves by upstream\'s flags, asks who it is told to, keeps a history, and ends on SIGTERM', async () => {
  const port = await freePort()
  const tokens = join(directory, 'tokens.csv')
  writeFileSync(tokens, 'secret,admin,1,"system:masters"\nother,bob,2,""\n')
  const { child, output } = launch('kube-apiserver', [
    ...[`--secure-port=${port}`, '--bind-address=127.0.0.1', `--cert-dir=${join(directory, 'certs')}`],
    ...['--etcd-servers=http://127.0.0.1:1', '--authorization-mode=RBAC', `--token-auth-file=${tokens}`],
    ...['--service-cluster-ip-range=10.0.0.0/24', '--allow-privileged=true', '--some-flag-of-upstream=x'],
    ...[`--shiplog-data-dir=${join(directory, 'data')}`],
  ])
  await eventually(async () => (await get(port, '/readyz')).code === 200, { withinMs: deadlineMs })
  expect((await get(port, '/api/v1/namespaces', 'secret')).code).toBe(200)
  expect((await get(port, '/api/v1/namespaces', 'other')).code).toBe(403)
  const service = await get(port, '/api/v1/namespaces/default/services/kubernetes', 'secret')
  expect(JSON.parse(service.body)).toMatchObject({ spec: { clusterIP: '10.0.0.1' } })
  // What is read late is there in a bundle, too: the language of rules, patterns, the thread that judges them.
  const spec = { type: 'object', properties: { a: { type: 'string', pattern: '^a', 'x-kubernetes-validations': [{ rule: 'self != "b"' }] } } }
  const { metadata, spec: rest } = definitionOf({ schema: { type: 'object', properties: { spec } } })
  const sent = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: metadata.name }, spec: rest }
  expect((await get(port, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', 'secret', sent)).code).toBe(201)
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).toBe(0)
  expect(output()).toContain('not looked at: --some-flag-of-upstream')
  expect(output()).toContain('npx shiplog log --data-dir')
})

test('a wrong flag ends it with a sentence', async () => {
  const { child, output } = launch('kube-apiserver', ['--authorization-mode=Nobody'])
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).toBe(1)
  expect(output()).toMatch(/^kube-apiserver: --authorization-mode Nobody is not there; there are Node, RBAC/)
})

test('kube-controller-manager follows an API server, does what controllers do, and ends on SIGTERM', async () => {
  const [port, healthPort] = [await freePort(), await freePort()]
  const [tokens, certs, kubeconfig] = ['tokens.csv', 'certs', 'kubeconfig'].map((name) => join(directory, name)) as [string, string, string]
  writeFileSync(tokens, 'secret,admin,1,"system:masters"\n')
  launch('kube-apiserver', [
    ...[`--secure-port=${port}`, '--bind-address=127.0.0.1', `--cert-dir=${certs}`, `--token-auth-file=${tokens}`],
    '--authorization-mode=RBAC',
  ])
  await eventually(async () => (await get(port, '/readyz')).code === 200, { withinMs: deadlineMs })
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'a', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': join(certs, 'apiserver.crt') } }],
      users: [{ name: 'u', user: { token: 'secret' } }],
      contexts: [{ name: 'c', context: { cluster: 'a', user: 'u' } }],
      'current-context': 'c',
    }),
  )
  const { child, output } = launch('kube-controller-manager', [
    ...[`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--controllers=*,-cronjob-controller', `--secure-port=${healthPort}`],
    ...[`--cert-dir=${join(directory, 'kcm')}`, '--node-monitor-period=1s'],
  ])
  await eventually(async () => (await get(healthPort, '/healthz')).body === 'ok', { withinMs: deadlineMs })
  const account = '/api/v1/namespaces/default/serviceaccounts/default'
  await eventually(async () => (await get(port, account, 'secret')).code === 200, { withinMs: deadlineMs })
  child.kill('SIGTERM')
  expect((await once(child, 'exit'))[0]).toBe(0)
  expect(output()).toContain('not looked at: --node-monitor-period')
})

test('kube-controller-manager without a kubeconfig ends with a sentence', async () => {
  const { child, output } = launch('kube-controller-manager', [])
  expect((await once(child, 'exit'))[0]).toBe(1)
  expect(output()).toMatch(/^kube-controller-manager: --kubeconfig is needed/)
})

test('etcd says that it is well, and that it is there', async () => {
  const port = await freePort()
  const { child } = launch('etcd', [`--listen-client-urls=http://127.0.0.1:${port}`, `--data-dir=${join(directory, 'etcd')}`])
  const health = () => fetch(`http://127.0.0.1:${port}/health`).then((reply) => reply.json() as Promise<{ health: string }>)
  await eventually(async () => (await health()).health === 'true', { withinMs: deadlineMs })
  child.kill('SIGTERM')
  expect((await once(child, 'exit'))[0]).toBe(0)
})
