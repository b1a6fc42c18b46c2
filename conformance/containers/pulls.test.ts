// Images from a registry, with real kubectl and a real containerd: policies, credentials, back-off, bad moods.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../src/context.ts'
import { type ContainerCluster, type Json, podObject, startContainerCluster, whyNoContainers } from './container-cluster.ts'
import { type ImageRegistry, startRegistry } from './image-registry.ts'
import { busyboxFiles, searchPath } from './node-image.ts'

const why = await whyNoContainers()
const host = 'registry.example'

describe.skipIf(why !== undefined)('images from a registry', () => {
  let registry: ImageRegistry
  let cluster: ContainerCluster

  beforeAll(async () => {
    registry = await startRegistry()
    const files = await busyboxFiles()
    for (const name of ['open/app:1', 'open/app:latest', 'open/data:1', 'basic/app:1', 'token/app:1', 'busy/app:1', 'broken/app:1', 'slow/app:1'])
      registry.add(name, [...files, { path: 'name', content: Buffer.from(name) }], { Cmd: ['cat', '/name'], Env: [searchPath] })
    registry.manner('basic/app', { auth: 'basic', users: { joe: 'se:cret' } })
    registry.manner('token/app', { auth: 'token', users: { ann: 'pass' } })
    registry.manner('busy/app', { codes: [429, 200] })
    registry.manner('broken/app', { codes: [500] })
    registry.manner('slow/app', { delayMs: 700 })
    cluster = await startContainerCluster(['--registry-mirror', `http://${registry.address}`])
  }, 240_000)
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
    await registry?.close()
  }, 120_000)

  const pod = (name: string, image: string, spec: Json = {}, container: Json = {}): Json =>
    podObject(name, { containers: [{ name: 'main', image: `${host}/${image}`, ...container }], ...spec })
  const secret = (name: string, auths: Json): Json => ({
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/dockerconfigjson', metadata: { name } },
    stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
  })
  const waiting = async (name: string): Promise<Json> =>
    (await cluster.get('pod', name)).status.containerStatuses?.[0].state.waiting

  test('are pulled as the policy says, and told in the words of upstream', async () => {
    await cluster.apply(pod('first', 'open/app:1'))
    await cluster.phase('first', 'Succeeded')
    const { times } = registry.asked('open/app')
    await cluster.apply(pod('again', 'open/app:1'), pod('always', 'open/app:1', {}, { imagePullPolicy: 'Always' }), pod('newest', 'open/app'))
    for (const name of ['again', 'always', 'newest']) await cluster.phase(name, 'Succeeded')
    expect(registry.asked('open/app').times).toBeGreaterThanOrEqual(times + 2)
    const image = `${host}/open/app:1`
    await eventually(async () =>
      expect(await cluster.events('first')).toEqual(
        expect.arrayContaining([
          `Pulling: Pulling image "${image}"`,
          expect.stringMatching(/^Pulled: Successfully pulled image ".*" in [\d.]+m?s \([\d.]+m?s including waiting\)\. Image size: \d+ bytes\.$/),
        ]),
      ),
    )
    await eventually(async () =>
      expect(await cluster.events('again')).toContain(`Pulled: Container image "${image}" already present on machine and can be accessed by the pod`),
    )
    expect(await cluster.k('logs', 'first')).toBe('open/app:1')
  }, 120_000)

  test('are given to those who have the credentials, of the pod or of its ServiceAccount, and to nobody else of the node', async () => {
    const token = secret('for-token', { [`https://${host}/v2/`]: { auth: Buffer.from('ann:pass').toString('base64') } })
    await cluster.apply(
      secret('for-basic', { [`${host}/basic`]: { username: 'joe', password: 'se:cret' } }),
      secret('wrong', { [host]: { username: 'joe', password: 'no' } }),
      token,
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'puller' }, imagePullSecrets: [{ name: 'for-token' }] },
    )
    await cluster.apply(
      pod('joe', 'basic/app:1', { imagePullSecrets: [{ name: 'not-there' }, { name: 'wrong' }, { name: 'for-basic' }] }),
      pod('ann', 'token/app:1', { serviceAccountName: 'puller' }),
    )
    for (const name of ['joe', 'ann']) await cluster.phase(name, 'Succeeded')
    await eventually(async () =>
      expect(await cluster.events('joe')).toContain(
        'FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (not-there); attempting to pull the image may not succeed.',
      ),
    )
    const served = registry.asked('basic/app').served
    await cluster.apply(
      pod('thief', 'basic/app:1'),
      pod('never', 'basic/app:1', {}, { imagePullPolicy: 'Never' }),
      pod('friend', 'basic/app:1', { imagePullSecrets: [{ name: 'for-basic' }] }),
    )
    await cluster.phase('friend', 'Succeeded')
    expect(registry.asked('basic/app').served).toBe(served)
    await eventually(async () => {
      expect((await waiting('never'))?.reason).toBe('ErrImageNeverPull')
      expect(await waiting('thief')).toMatchObject({
        reason: expect.stringMatching(/^(ErrImagePull|ImagePullBackOff)$/),
        message: expect.stringContaining('pull access denied, repository does not exist or may require authorization'),
      })
    })
  }, 120_000)

  test('that cannot be had are tried again after pauses, and come when they can', async () => {
    await cluster.apply(pod('busy', 'busy/app:1'), pod('broken', 'broken/app:1'), pod('missing', 'open/app:2'), pod('slow', 'slow/app:1'))
    await eventually(async () => {
      for (const name of ['broken', 'missing'])
        expect(await waiting(name)).toMatchObject({ reason: 'ImagePullBackOff', message: expect.stringMatching(/^Back-off pulling image ".*": ErrImagePull: /) })
      expect((await waiting('missing'))?.message).toContain('rpc error: code = NotFound desc = failed to pull and unpack image')
      expect((await waiting('broken'))?.message).toContain('500 Internal Server Error')
    })
    await eventually(async () =>
      expect(await cluster.events('missing')).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^Failed: Failed to pull image ".*": rpc error: code = NotFound/),
          'Failed: Error: ErrImagePull',
          `BackOff: Back-off pulling image "${host}/open/app:2"`,
          'Failed: Error: ImagePullBackOff',
        ]),
      ),
    )
    for (const name of ['busy', 'slow']) await cluster.phase(name, 'Succeeded')
  }, 120_000)

  test('are volumes as well', async () => {
    await cluster.apply(
      pod(
        'reads',
        'open/app:1',
        { volumes: [{ name: 'data', image: { reference: `${host}/open/data:1`, pullPolicy: 'Always' } }] },
        { command: ['cat', '/data/name'], volumeMounts: [{ name: 'data', mountPath: '/data' }] },
      ),
    )
    await cluster.phase('reads', 'Succeeded')
    expect(await cluster.k('logs', 'reads')).toBe('open/data:1')
  }, 120_000)
})
