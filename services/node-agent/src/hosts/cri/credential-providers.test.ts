import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNodeCredentials, readCredentialProviders } from './credential-providers.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'providers-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const provider = { name: 'helper', matchImages: ['*.reg.example'], defaultCacheDuration: '1m', apiVersion: 'credentialprovider.kubelet.k8s.io/v1' }
const config = (providers: readonly object[]) => ({ kind: 'CredentialProviderConfig', apiVersion: 'kubelet.config.k8s.io/v1', providers })
const configFile = (value: object): string => {
  const path = join(directory, 'config.yaml')
  writeFileSync(path, JSON.stringify(value))
  return path
}

/** A program that answers `script`'s output and notes what it was asked. */
function world(script: string) {
  writeFileSync(join(directory, 'helper'), `#!/bin/sh\ncat >> "${directory}/asked"; echo >> "${directory}/asked"\n${script}\n`)
  chmodSync(join(directory, 'helper'), 0o755)
  const state = { nowMs: 0, warned: 0 }
  const warn = (): void => void state.warned++
  const providers = readCredentialProviders(configFile(config([{ ...provider, env: [{ name: 'WHO', value: 'joe' }], args: ['secret'] }])))
  const credentials = createNodeCredentials({ providers, binDir: directory, clock: { nowMs: () => state.nowMs }, log: { warn } as never })
  const asked = (): string[] => readFileSync(join(directory, 'asked'), 'utf8').trim().split('\n')
  return { state, credentials, asked }
}

const response = (more: object): string =>
  JSON.stringify({ kind: 'CredentialProviderResponse', apiVersion: provider.apiVersion, cacheKeyType: 'Registry', ...more }).replaceAll('"', '\\"')

test('a program is asked for the images that it is for, and its answer is kept as long as it says', async () => {
  const { state, credentials, asked } = world(`echo "${response({ cacheDuration: '10s', auth: { '*.reg.example': { username: '$WHO', password: '$1' } } })}"`)
  const joe = [{ username: 'joe', password: 'secret' }]
  expect(await credentials('other.example/app:1')).toEqual([])
  expect(await Promise.all([credentials('a.reg.example/app:1'), credentials('a.reg.example/app:1')])).toEqual([joe, joe])
  expect(await credentials('a.reg.example/else:1')).toEqual(joe)
  expect(asked()).toEqual([JSON.stringify({ kind: 'CredentialProviderRequest', apiVersion: provider.apiVersion, image: 'a.reg.example/app:1' })])
  await credentials('b.reg.example/app:1')
  state.nowMs = 10_001
  await credentials('a.reg.example/app:1')
  expect(asked()).toHaveLength(3)
})

test.each(['exit 3', 'echo what', `echo "${response({ apiVersion: 'v0' })}"`, `echo "${response({ cacheKeyType: 'Moon' })}"`])('one that fails says nothing: %s', async (script) => {
  const { state, credentials } = world(script)
  expect(await credentials('a.reg.example/app:1')).toEqual([])
  expect(state.warned).toBe(1)
})

test.each([
  [{ kind: 'Pod' }, /is no CredentialProviderConfig/],
  [config([]), /at least 1 item in plugins is required/],
  [config([{ ...provider, name: '../sh' }]), /the name is that of a program/],
  [config([{ ...provider, matchImages: [] }]), /at least 1 item in matchImages/],
  [config([{ ...provider, apiVersion: 'v1' }]), /unsupported apiVersion/],
  [config([{ ...provider, defaultCacheDuration: undefined }]), /defaultCacheDuration is required/],
  [config([{ ...provider, tokenAttributes: {} }]), /tokenAttributes are not there yet/],
  [config([provider, provider]), /duplicate provider name/],
])('a configuration that is wrong is refused: %j', (value, why) => expect(() => readCredentialProviders(configFile(value))).toThrow(why))
