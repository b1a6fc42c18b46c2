import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import { isRuntimeFailure } from '@shiplog/node/container-runtime'
import type { ImageMessage } from '@shiplog/node/cri/cri-messages'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createImagePuller, goSeconds } from './image-puller.ts'
import { createPullRecords } from './pull-records.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pulls-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const image = 'a.example/app:1'
const stored = (id = 'sha256:1'): ImageMessage => ({ id, repoTags: [image], repoDigests: [], size: '7', uid: null, username: '' })
const fault = (code: number, details: string): Error => Object.assign(new Error(details), { code, details })

interface World {
  present: ImageMessage | undefined
  nowMs: number
  /** Passwords that the registry takes; undefined: anything. */
  password: string | undefined
  answer: () => Promise<void>
  readonly pulls: unknown[]
  readonly told: string[]
  readonly secrets: Record<string, string>
  ensure(policy?: string, ...pullSecrets: string[]): Promise<string>
}

function world(present?: ImageMessage): World {
  const self: World = {
    ...{ present, nowMs: 0, password: undefined, pulls: [], told: [], secrets: {} },
    answer: () => Promise.resolve(),
    async ensure(policy, ...pullSecrets) {
      const pod = { metadata: { name: 'p', namespace: 'ns', uid: 'u' }, spec: { imagePullSecrets: pullSecrets.map((name) => ({ name })) } } as unknown as Pod
      const tell = (_type: string, reason: string, message: string): void => void self.told.push(`${reason}: ${message}`)
      return await puller.ensure({ image, policy, pod, tell, sandbox: undefined }).then(
        ({ id }) => id,
        (error: unknown) => (isRuntimeFailure(error) ? `${error.reason}: ${error.message}` : Promise.reject(error as Error)),
      )
    },
  }
  const clock = { nowMs: () => self.nowMs }
  const puller = createImagePuller({
    clock,
    records: createPullRecords({ directory, clock }),
    references: {
      async get(_kind, namespace, name) {
        const password = self.secrets[name]
        if (password === undefined) return undefined
        const auths = { 'a.example': { username: 'u', password } }
        const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') }
        return { type: 'kubernetes.io/dockerconfigjson', metadata: { name, namespace, uid: `uid-${name}` }, data } as never
      },
    },
    client: {
      listImages: async () => (self.present ? [self.present] : []),
      imageStatus: async () => self.present,
      async pullImage(_name, auth) {
        self.pulls.push(auth?.password)
        await self.answer()
        if (self.password !== undefined && auth?.password !== self.password) throw fault(2, `denied to ${auth?.password}`)
        self.present = stored()
        return 'sha256:1'
      },
    },
  })
  return self
}

describe('an image', () => {
  test('that was loaded into the node is for everybody', async () => {
    const it = world(stored())
    expect(await it.ensure('IfNotPresent')).toBe('sha256:1')
    expect(await it.ensure('Never')).toBe('sha256:1')
    expect(it.pulls).toEqual([])
  })

  test('that was pulled without credentials is for everybody, and pulled again only when that is asked for', async () => {
    const it = world()
    for (const policy of [undefined, 'IfNotPresent', 'Never', 'Always']) expect(await it.ensure(policy)).toBe('sha256:1')
    expect(it.pulls).toEqual([undefined, undefined])
  })

  test('that was pulled with a Secret is for those who have it, or the same credentials, also in the next life', async () => {
    const it = world()
    Object.assign(it.secrets, { mine: 'right', same: 'right', other: 'wrong' })
    it.password = 'right'
    expect(await it.ensure(undefined, 'other', 'mine')).toBe('sha256:1')
    const next = world(it.present)
    Object.assign(next.secrets, it.secrets)
    next.password = 'right'
    for (const name of ['mine', 'same']) expect(await next.ensure(undefined, name)).toBe('sha256:1')
    // The Secret has new credentials: it is the same Secret.
    next.secrets['mine'] = 'changed'
    expect(await next.ensure(undefined, 'mine')).toBe('sha256:1')
    expect(next.pulls).toEqual([])
    expect(await next.ensure('Never', 'other')).toBe(`ErrImageNeverPull: Container image "${image}" is not present with pull policy of Never`)
    expect(await next.ensure(undefined, 'other')).toBe('ErrImagePull: denied to wrong')
    expect(await next.ensure()).toBe('ErrImagePull: denied to undefined')
    next.password = undefined
    // Who can pull it without credentials has shown that anybody can.
    expect(await next.ensure()).toBe('sha256:1')
    expect(await next.ensure(undefined, 'other')).toBe('sha256:1')
    expect(next.pulls).toEqual(['wrong', undefined, undefined])
  })

  test('that an earlier life was pulling when it was killed belongs to nobody', async () => {
    const records = createPullRecords({ directory, clock: { nowMs: () => 0 } })
    records.begun(image)
    const it = world(stored())
    it.password = 'right'
    expect(await it.ensure()).toBe('ErrImagePull: denied to undefined')
    expect(readdirSync(join(directory, 'pulling'))).toEqual([])
  })

  test('is forgotten with its records', async () => {
    const it = world()
    await it.ensure()
    const records = createPullRecords({ directory, clock: { nowMs: () => 0 } })
    records.prune(new Set(['sha256:1']), 1_000)
    records.prune(new Set(), 0)
    expect(readdirSync(join(directory, 'pulled'))).toHaveLength(1)
    records.prune(new Set(), 1_000)
    expect(readdirSync(join(directory, 'pulled'))).toEqual([])
  })
})

test('faults are told as upstream tells them, several as a list', async () => {
  const it = world()
  Object.assign(it.secrets, { a: '1', b: '2' })
  it.password = '3'
  expect(await it.ensure(undefined, 'a', 'b')).toBe('ErrImagePull: [denied to 1, denied to 2]')
  it.answer = () => Promise.reject(fault(5, 'gone'))
  expect(await it.ensure(undefined, 'a', 'b')).toBe('ErrImagePull: rpc error: code = NotFound desc = gone')
  it.answer = () => Promise.reject(fault(2, 'RegistryUnavailable: down'))
  expect(await it.ensure()).toBe(`RegistryUnavailable: image pull failed for ${image} because the registry is unavailable: down`)
  expect(it.told.at(-1)).toBe(`Failed: Failed to pull image "${image}": RegistryUnavailable: down`)
})

test('five pulls go at once, and the times that others waited are told', async () => {
  const it = world()
  const gate = Promise.withResolvers<void>()
  it.answer = () => gate.promise
  const all = Array.from({ length: 7 }, () => it.ensure('Always'))
  while (it.pulls.length < 5) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  expect(it.pulls).toHaveLength(5)
  it.nowMs = 1_500
  gate.resolve()
  await Promise.all(all)
  expect(it.pulls).toHaveLength(7)
  expect(it.told.at(-1)).toBe(`Pulled: Successfully pulled image "${image}" in 0s (1.5s including waiting). Image size: 7 bytes.`)
})

test.each([[0, '0s'], [12, '12ms'], [1_500, '1.5s'], [62_000, '1m2s'], [3_600_500, '1h0m0.5s']])('%i ms is %s', (ms, text) => expect(goSeconds(ms)).toBe(text))
