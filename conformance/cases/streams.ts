// `kubectl exec`, `cp`, `port-forward` and the API's proxies, with pods that are processes of this machine: the suite that
// runs these has a node of that kind.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { type Any, type Case, type CaseContext, has, topic } from '../src/case.ts'
import { pod } from '../src/manifests.ts'

const reference = 'kubernetes.io/docs/reference/kubectl/generated/kubectl_'
const proxies = 'kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services'

const onProcessNode = {
  nodeSelector: { 'shiplog.dev/runtime': 'process' },
  tolerations: [{ key: 'shiplog.dev/runtime', operator: 'Exists' }],
  terminationGracePeriodSeconds: 0,
}

const staying = (name: string, more: Any = {}): Any => ({ name, image: 'none', command: ['sleep', '300'], ...more })

async function run(t: CaseContext, name: string, spec: Any = {}, metadata: Any = {}): Promise<void> {
  await t.feed('apply -f -', pod(name, { ...onProcessNode, containers: [staying('main')], ...spec }, metadata))
  await t.k(`wait --for=condition=Ready pod/${name} --timeout=60s`)
}

/** Clients of both protocols: the one that kubectl prefers, and the one that it falls back to. */
const protocols: readonly Record<string, string>[] = [
  {},
  { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
]

/** Answers every request with its method, path and the length of its body; `/page` and `/away` lead elsewhere. */
const webServer = `
require('http').createServer((q, r) => {
  let n = 0
  q.on('data', (d) => (n += d.length)).on('end', () => {
    if (q.url === '/away') return r.writeHead(302, { location: '/page' }).end()
    if (q.url === '/page') return r.writeHead(200, { 'content-type': 'text/html' }).end('<a href="/next">x</a>')
    r.writeHead(q.url === '/teapot' ? 418 : 200, { 'content-type': 'text/plain', 'x-seen': q.headers.authorization ?? 'none' })
    r.end(q.method + ' ' + q.url + ' ' + n + ' ' + q.headers['x-forwarded-uri'])
  })
}).listen(0, function () { require('fs').writeFileSync('port', String(this.address().port)) })`

/** A pod that serves HTTP, and the port that it took. */
async function web(t: CaseContext, name: string): Promise<number> {
  await run(t, name, { containers: [staying('main', { command: [process.execPath, '-e', webServer] })] }, { labels: { app: name } })
  return await t.eventually(async () => Number(await t.k(`exec ${name} -- cat port`)) || assert.fail('no port yet'))
}

export const streamCases: readonly Case[] = topic('streams', {
  'exec-runs-a-command-beside-the-container': {
    rows: ['D2'],
    source: `${reference}exec: output, exit codes, -c, -i`,
    bothVersions: true,
    async run(t) {
      await run(t, 'p', { containers: [staying('main', { env: [{ name: 'WORD', value: 'hello' }] }), staying('side')] })
      for (const env of protocols) {
        const done = await t.kAll(['exec', 'p', '-c', 'main', '--', 'sh', '-c', 'echo $WORD; echo wrong >&2; exit 7'], { env })
        assert.deepEqual([done.stdout, done.code], ['hello\n', 7])
        has(done.stderr, 'wrong\n', 'command terminated with exit code 7')
        const stdin = Buffer.alloc(20_000_000, 'x')
        const sum = createHash('sha256').update(stdin).digest('hex')
        has(await t.k('exec -i p -c side -- sha256sum', { env, stdin }), sum)
        const loud = await t.kAll(['exec', 'p', '-c', 'side', '--', 'sh', '-c', 'head -c 5000000 /dev/zero | tr "\\0" y; exit 3'], { env })
        assert.deepEqual([loud.stdout.length, loud.code], [5_000_000, 3])
        has(await t.kFails('exec p -c main -- no-such-program', { env }), 'exec: "no-such-program": executable file not found in $PATH')
      }
    },
  },
  'exec-refuses-what-cannot-be': {
    rows: ['D2'],
    source: 'observed: the sentences of the API server and the kubelet',
    async run(t) {
      await t.feed('apply -f -', pod('two', { ...onProcessNode, containers: [staying('a'), staying('b')] }))
      await t.feed('apply -f -', pod('unbound', { nodeName: '', nodeSelector: { none: 'such' }, containers: [staying('main')] }))
      await t.feed('apply -f -', pod('crash', { ...onProcessNode, containers: [staying('main', { command: ['false'] })] }))
      const asked = async (path: string): Promise<string> => {
        const { code, json } = await t.http({ path: `/api/v1/namespaces/{ns}/pods/${path}` })
        return `${code} ${json?.message}`
      }
      await t.k('wait --for=condition=Ready pod/two --timeout=60s')
      has(await asked('two/exec?command=ls&stdout=1'), '400 a container name must be specified for pod two, choose one of: [a b]')
      has(await asked('two/exec?command=ls&stdout=1&container=c'), '400 container c is not valid for pod two')
      has(await asked('two/exec?command=ls&container=a'), '400 you must specify at least 1 of stdin, stdout, stderr')
      has(await asked('two/exec?command=ls&stdout=1&container=a'), '400 Upgrade request required')
      has(await asked('unbound/portforward'), '400 pod unbound does not have a host assigned')
      has(await asked('none/attach?stdout=1'), '404 pods "none" not found')
      for (const env of protocols) {
        await t.eventually(async () => has(await t.kFails('exec crash -- true', { env }), 'unable to upgrade connection: container not found ("main")'))
      }
    },
  },
  'attach-types-into-a-container': {
    rows: ['D2'],
    source: `${reference}attach; ${reference}run: -i; ${reference}debug: -i`,
    async run(t) {
      const reading = 'read -r line; echo "heard $line"; sleep 0.2; echo wrong >&2; exit 3'
      await run(t, 'p', { restartPolicy: 'Never', containers: [staying('main', { command: ['sh', '-c', reading], stdin: true })] })
      const attached = await t.kAll('attach -i p', { stdin: 'typed\n' })
      has(attached.stdout, 'heard typed')
      has(attached.stderr, 'wrong')
      await t.k('wait --for=jsonpath={.status.containerStatuses[0].state.terminated.exitCode}=3 pod/p --timeout=30s')
      await run(t, 'q')
      has(await t.kFails('attach p'), 'cannot attach a container in a completed pod')
      const overrides = JSON.stringify({ spec: onProcessNode })
      const command = ['run', 'r', '-i', '--rm', '--restart=Never', '--image=none', `--overrides=${overrides}`, '--command', '--', 'sh', '-c']
      has((await t.kAll([...command, 'read -r line; echo "run $line"'], { stdin: 'this\n' })).stdout, 'run this')
      const debug = ['debug', 'q', '-i', '--image=none', '--container=dbg', '--', 'sh', '-c', 'read -r line; echo "debug $line in $(pwd)"']
      has((await t.kAll(debug, { stdin: 'this\n' })).stdout, /debug this in .*\/dbg/)
    },
  },
  'cp-brings-files-both-ways': {
    rows: ['D2'],
    source: `${reference}cp`,
    async run(t) {
      await run(t, 'p')
      const content = Array.from({ length: 20_000 }, (_, line) => `line ${line}`).join('\n')
      const file = t.file('there', content)
      await t.k(`cp ${file} p:copy`)
      has(await t.k('exec p -- wc -c copy'), String(content.length))
      const back = join(file, '..', 'back')
      await t.k(`cp p:copy ${back}`)
      assert.ok(existsSync(back))
      assert.equal(readFileSync(back, 'utf8'), content)
    },
  },
  'port-forward-carries-many-connections': {
    rows: ['D3'],
    source: `${reference}port-forward`,
    bothVersions: true,
    async run(t) {
      const port = await web(t, 'web')
      for (const env of protocols) {
        const connections = 8
        let local = 0
        const forwarding = t.kAll(`port-forward pod/web :${port}`, {
          env,
          timeoutMs: 60_000,
          until: (out) => {
            local ||= Number(/127\.0\.0\.1:(\d+)/.exec(out)?.[1] ?? 0)
            return out.includes('Handling connection') && answered === connections
          },
        })
        let answered = 0
        await t.eventually(async () => assert.ok(local > 0, 'no port yet'))
        const answers = await Promise.all(Array.from({ length: connections }, (_, index) => post(local, `/n${index}`, 300_000)))
        for (const [index, text] of answers.entries()) has(text, `POST /n${index} 300000 `)
        answered = connections
        // Ends kubectl, and may be cut off by that.
        await post(local, '/last', 1).catch(() => undefined)
        assert.equal((await forwarding).code, 0)
      }
      let free = 0
      const refused = t.kAll(`port-forward pod/web :1`, {
        timeoutMs: 20_000,
        until(out) {
          free = Number(/127\.0\.0\.1:(\d+)/.exec(out)?.[1] ?? 0)
          return false
        },
      })
      await t.eventually(async () => assert.ok(free > 0, 'no port yet'))
      await post(free, '/', 1).catch(() => undefined)
      has((await refused).stderr, 'failed to connect to localhost:1', 'connection refused')
    },
  },
  'proxies-reach-pods-services-and-nodes': {
    rows: ['D10'],
    source: `${proxies}: https:name:port, paths, methods; apimachinery's proxy transport: redirects and links`,
    async run(t) {
      const port = await web(t, 'web')
      const ns = '/api/v1/namespaces/{ns}'
      await t.feed('apply -f -', {
        ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } },
        spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: port }] },
      })
      const through = `${ns}/pods/web:${port}/proxy`
      const seen = through.replace('{ns}', t.namespace)
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const { code, text, headers } = await t.http({ method, path: `${through}/a/b?c=d`, headers: { accept: 'text/html' } })
        assert.equal(code, 200)
        has(text, `${method} /a/b?c=d 0 ${seen}/a/b`)
        assert.equal(headers['x-seen'], 'none')
      }
      const large = Buffer.alloc(5_000_000, 'x').toString()
      has((await t.http({ method: 'POST', path: `${through}/`, body: large, headers: { 'content-type': 'text/plain' } })).text, 'POST / 5000000')
      assert.equal((await t.http({ path: `${through}/teapot` })).code, 418)
      assert.equal((await t.http({ path: `${through}?x=y` })).headers['location'], `${seen}/?x=y`)
      assert.equal((await t.http({ path: `${through}/away` })).headers['location'], `${seen}/page`)
      has((await t.http({ path: `${through}/page` })).text, `<a href="${seen}/next">x</a>`)
      await t.eventually(async () => has(await t.k(`get --raw ${ns.replace('{ns}', t.namespace)}/services/web:http/proxy/s`), 'GET /s 0'))
      has(await t.k(`get --raw ${ns.replace('{ns}', t.namespace)}/services/http:web:80/proxy/s`), 'GET /s 0')
      const refused = await t.http({ path: `${ns}/services/https:web:http/proxy/` })
      has(`${refused.code} ${refused.json.message}`, '503 error trying to reach service: http: server gave HTTP response to HTTPS client')
      const nobody = await t.http({ path: `${ns}/pods/web:1/proxy/` })
      has(`${nobody.code} ${nobody.json.message}`, /^503 error trying to reach service: dial tcp .*:1: connect: connection refused/)
      const node = (await t.get('pod web')).spec.nodeName
      has(await t.k(`get --raw /api/v1/nodes/${node}/proxy/healthz`), 'ok')
      has(await t.k(`get --raw /api/v1/nodes/${node}/proxy/pods`), '"name":"web"')
      has(await t.k(`get --raw /api/v1/nodes/${node}:${port}/proxy/n`), 'GET /n 0')
    },
  },
  'on-simulated-nodes-nothing-can-be-reached': {
    rows: ['D2'],
    source: 'docs/simulated-nodes.md',
    async run(t) {
      await t.feed('apply -f -', pod('p', { containers: [{ name: 'main', image: 'none' }] }))
      await t.k('wait --for=condition=Ready pod/p --timeout=60s')
      const why = 'pod "p" is simulated: nothing runs in it, so there is nothing to connect to'
      for (const env of protocols) has(await t.kFails('exec p -- ls', { env }), why)
      has(await t.kFails('port-forward p 1:1'), why)
      has(await t.kFails(`get --raw /api/v1/namespaces/${t.namespace}/pods/p:80/proxy/`), why)
    },
  },
  'whoever-may-not-create-may-not-exec': {
    rows: ['E5'],
    source: 'issues.k8s.io/133515: WebSockets begin with a GET, and need the right to create all the same',
    async run(t) {
      await run(t, 'p')
      await t.k('create serviceaccount reader')
      await t.k('create role looks --verb=get --resource=pods,pods/exec,pods/portforward')
      await t.k(`create rolebinding looks --role=looks --serviceaccount=${t.namespace}:reader`)
      const as = `--as=system:serviceaccount:${t.namespace}:reader`
      for (const env of protocols) {
        await t.eventually(async () => has(await t.kFails(`exec p ${as} -- ls`, { env }), 'cannot create resource "pods/exec"'))
      }
      has(await t.kFails(`port-forward p 1:1 ${as}`), 'cannot create resource "pods/portforward"')
      await t.k('create role acts --verb=create --resource=pods/exec')
      await t.k(`create rolebinding acts --role=acts --serviceaccount=${t.namespace}:reader`)
      await t.eventually(async () => assert.equal(await t.k(`exec p ${as} -- echo hi`), 'hi\n'))
    },
  },
})

/** Posts so many bytes on a connection of its own. */
const post = (port: number, path: string, bytes: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => resolve(text))
    })
    asked.on('error', reject)
    asked.end(Buffer.alloc(bytes))
  })
