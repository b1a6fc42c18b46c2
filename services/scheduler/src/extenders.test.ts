// Extenders as real HTTP servers: what they say decides, is recorded, and is enough to compute the decision again.
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Node } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import { systemIds as ids } from '@shiplog/runtime/ids'
import { silentLogger as log } from '@shiplog/runtime/logger'
import { parseConfigurationFile } from '@shiplog/scheduling/framework/configuration-file'
import { createProfiles } from '@shiplog/scheduling/framework/profiles'
import { type ExtenderOpinion, withOpinion } from '@shiplog/scheduling/framework/extenders'
import { schedule } from '@shiplog/scheduling/framework/schedule'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'
import { createFakeCluster } from '@shiplog/testing/fake-cluster'
import { createManualClock } from '@shiplog/testing/manual-clock'
import { afterEach, expect, test, vi } from 'vitest'
import { bindingsOf } from './testing/bindings.ts'
import { createScheduler } from './scheduler.ts'

interface Asked {
  readonly verb: string
  readonly body: { readonly Pod: JsonObject; readonly NodeNames: readonly string[] | null; readonly Nodes: { readonly items: readonly Node[] } | null }
}

const waitFor = (look: () => unknown): Promise<unknown> => vi.waitFor(look, { timeout: 20_000 })

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

function closed(server: Server): Promise<unknown> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
}

/** An extender; `answer` gives the body, or the code of a refusal. */
async function extender(answer: (asked: Asked) => unknown, tls?: ServerOptions): Promise<{ readonly url: string; readonly asked: Asked[]; readonly server: Server }> {
  const asked: Asked[] = []
  const serve: RequestListener = (request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => (text += part))
    request.on('end', () => {
      const one = { verb: request.url!.slice(1), body: JSON.parse(text) as Asked['body'] }
      asked.push(one)
      const said = answer(one)
      if (typeof said === 'number') response.writeHead(said).end()
      else response.end(JSON.stringify(said))
    })
  }
  const server = tls ? createTlsServer(tls, serve) : createServer(serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => closed(server))
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, server }
}

const nodes = ['n0', 'n1', 'n2'].map((name) => testNode(name, { allocatable: { cpu: '2', pods: '10', 'example.com/card': '4' } }))

async function setUp(extenders: string) {
  const { profiles } = parseConfigurationFile(`kind: KubeSchedulerConfiguration\nextenders: ${extenders}`)
  const clock = createManualClock()
  const cluster = createFakeCluster(clock)
  for (const node of nodes) cluster.put('nodes', node as unknown as JsonObject)
  const scheduler = createScheduler({ feed: cluster.feed, client: cluster.client(), clock, ids, log, profiles })
  await scheduler.start()
  ends.push(() => scheduler.stop())
  const nodeOf = (name: string) => cluster.get('pods', `default/${name}`)?.spec.nodeName
  const messages = () => cluster.list('events').map(({ message }) => String(message))
  return { cluster, clock, profiles, nodeOf, messages }
}

const recordedFor = (cluster: ReturnType<typeof createFakeCluster>): JsonObject => JSON.parse(bindingsOf(cluster).at(-1)!.request.decision!)

test('who filters and scores decides; what it said is recorded, and enough to decide the same again', async () => {
  const { url, asked } = await extender(({ verb, body }) =>
    verb === 'filter'
      ? { NodeNames: body.NodeNames!.filter((name) => name !== 'n0'), FailedNodes: { n0: 'no card is left' } }
      : [{ Host: 'n2', Score: 10 }, { Host: 'n1', Score: 1 }, { Host: 'nobody', Score: 10 }],
  )
  const { cluster, nodeOf, profiles } = await setUp(`[{urlPrefix: "${url}", filterVerb: filter, prioritizeVerb: score, weight: 5, nodeCacheCapable: true}]`)
  cluster.put('pods', testPod('p'))
  await waitFor(() => expect(nodeOf('p')).toBe('n2'))
  expect(asked.map(({ verb, body }) => [verb, body.NodeNames])).toEqual([
    ['filter', ['n0', 'n1', 'n2']],
    ['score', ['n1', 'n2']],
  ])
  const record = recordedFor(cluster)
  const opinion = record['extenders'] as ExtenderOpinion
  expect(opinion).toEqual({ failed: { n0: 'no card is left' }, unresolvable: {}, scores: { n1: 50, n2: 500 } })
  const snapshot = new Snapshot()
  for (const node of nodes) snapshot.setNode(node)
  const again = schedule(snapshot.readPod(testPod('p')), snapshot, withOpinion(createProfiles(profiles).first, opinion), 0)
  expect(again).toMatchObject({ node: record['node'], feasible: 2, top: record['top'] })
})

test('nodes are sent in full to who does not know them, and their reasons are in the message', async () => {
  const { url, asked } = await extender(() => ({ Nodes: { items: [] }, FailedNodes: { n0: 'too far' }, FailedAndUnresolvableNodes: { n1: 'too old' } }))
  const { cluster, clock } = await setUp(`[{urlPrefix: "${url}", filterVerb: filter}]`)
  cluster.put('pods', testPod('p'))
  const condition = () => cluster.get('pods', 'default/p')?.status.conditions?.[0]
  await waitFor(async () => {
    await clock.advance(100)
    expect(condition()?.message).toMatch(/^0\/3 nodes are available: 1 too far, 1 too old\./)
  })
  expect(asked[0]!.body.Nodes!.items.map(({ metadata, status }) => [metadata.name, status?.allocatable?.['cpu']])).toEqual([['n0', '2'], ['n1', '2'], ['n2', '2']])
})

test('one that fails keeps the pod waiting, and says so; one that may be ignored is', async () => {
  let isIll = true
  const { url } = await extender(({ body }) => (isIll ? 500 : { NodeNames: body.NodeNames }))
  const gone = await extender(() => 500)
  gone.server.closeAllConnections()
  const { cluster, clock, nodeOf, messages } = await setUp(
    `[{urlPrefix: "${gone.url}", filterVerb: f, ignorable: true, nodeCacheCapable: true}, {urlPrefix: "${url}", filterVerb: filter, nodeCacheCapable: true}]`,
  )
  cluster.put('pods', testPod('p'))
  await waitFor(async () => {
    await clock.advance(100)
    expect(messages()).toContain(`failed with extender at URL ${url}/filter, code 500`)
  })
  expect(nodeOf('p')).toBeUndefined()
  isIll = false
  await waitFor(async () => {
    await clock.advance(1_000)
    expect(nodeOf('p')).toBeDefined()
  })
})

test('it is asked about pods that want what it manages, and the scheduler leaves that to it', async () => {
  const { url, asked } = await extender(({ body }) => ({ NodeNames: body.NodeNames!.slice(1) }))
  const managed = 'managedResources: [{name: example.com/card, ignoredByScheduler: true}]'
  const { cluster, nodeOf } = await setUp(`[{urlPrefix: "${url}", filterVerb: filter, nodeCacheCapable: true, ${managed}}]`)
  cluster.put('pods', testPod('plain'))
  await waitFor(() => expect(nodeOf('plain')).toBeDefined())
  expect(asked).toEqual([])
  // More than any node has.
  const amounts = { cpu: '100m', 'example.com/card': '9' }
  const containers = [{ name: 'c', image: 'i', resources: { requests: amounts, limits: amounts } }]
  cluster.put('pods', testPod('cards', { spec: { containers } }))
  await waitFor(() => expect(nodeOf('cards')).toBeDefined())
  expect(asked).toHaveLength(1)
})

test.each([
  ['nodes that it was not asked about', () => ({ NodeNames: ['n9'] }), /claims a filtered node "n9"/],
  ['no JSON object', () => 'hello', /answered with no object/],
  ['an error of its own', () => ({ Error: 'not today' }), /^not today$/],
])('%s are no answer', async (_what, answer, message) => {
  const { url } = await extender(answer)
  const { cluster, clock, messages, nodeOf } = await setUp(`[{urlPrefix: "${url}", filterVerb: filter, nodeCacheCapable: true}]`)
  cluster.put('pods', testPod('p'))
  await waitFor(async () => {
    await clock.advance(100)
    expect(messages().some((text) => message.test(text))).toBe(true)
  })
  expect(nodeOf('p')).toBeUndefined()
})

test('one that does not answer is not waited for longer than it may take', async () => {
  const { url } = await extender(() => ({}))
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  ends.push(() => closed(silent))
  const slow = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const { cluster, clock, nodeOf } = await setUp(`[{urlPrefix: "${slow}", filterVerb: f, ignorable: true, httpTimeout: 200ms}, {urlPrefix: "${url}", prioritizeVerb: p, weight: 1}]`)
  cluster.put('pods', testPod('p'))
  await waitFor(async () => {
    await clock.advance(50)
    expect(nodeOf('p')).toBeDefined()
  })
})

test('over TLS it has to be who it says, and gets to see a certificate', async () => {
  const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 }
  const authorityKeys = newKeyPair()
  const ca = issueCertificate({ use: 'authority', commonName: 'ca', ...validity }, authorityKeys)
  const issue = (use: 'server' | 'client') => {
    const keys = newKeyPair()
    const request = { use, commonName: use, ...(use === 'server' ? { dnsNames: ['extender.test'] } : {}), ...validity }
    return { cert: issueCertificate(request, keys, { certificate: ca, key: authorityKeys.privateKey }), key: keyPem(keys.privateKey) }
  }
  const { url, asked } = await extender(({ body }) => ({ NodeNames: body.NodeNames }), { ...issue('server'), ca, requestCert: true })
  const { cert, key } = issue('client')
  const data = (pem: string): string => Buffer.from(pem).toString('base64')
  const known = `caData: ${data(ca)}, certData: ${data(cert)}, keyData: ${data(key)}`
  const extenderAs = (tls: string): string => `[{urlPrefix: "${url}", filterVerb: filter, nodeCacheCapable: true, tlsConfig: {${tls}}}]`
  const wrong = await setUp(extenderAs(`${known}, serverName: other.test`))
  wrong.cluster.put('pods', testPod('p'))
  await waitFor(async () => {
    await wrong.clock.advance(100)
    expect(wrong.messages().join()).toMatch(/other\.test/)
  })
  const right = await setUp(extenderAs(`${known}, serverName: extender.test`))
  right.cluster.put('pods', testPod('p'))
  await waitFor(() => expect(right.nodeOf('p')).toBeDefined())
  expect(asked).toHaveLength(1)
})
