import { expect, test } from 'vitest'
import { configurationText, withNewKey } from './configuration-file.ts'
import { configurationFor, parseEncryptionConfiguration } from './configuration.ts'

const secret = Buffer.alloc(32, 7).toString('base64')
const aesgcm = { aesgcm: { keys: [{ name: 'k', secret }] } }
const file = (resources: unknown): string =>
  JSON.stringify({ kind: 'EncryptionConfiguration', apiVersion: 'apiserver.config.k8s.io/v1', resources })
const of = (resources: readonly string[], ...providers: unknown[]): string => file([{ resources, providers }])

test('the file that a cluster makes is read, and a new key goes before the others', () => {
  const text = configurationText('first')
  const keysOf = (from: string): unknown => parseEncryptionConfiguration(from).resources[0]!.providers[0]
  expect(keysOf(text)).toMatchObject({ type: 'aesgcm', keys: [{ name: 'first' }] })
  const rotated = withNewKey(text, 'second')!
  expect(keysOf(rotated)).toMatchObject({ keys: [{ name: 'second' }, { name: 'first' }] })
  expect(rotated.replaceAll(/.*second\n.*\n/g, '')).toBe(text)
  expect(withNewKey(of(['secrets'], aesgcm), 'second')).toBeUndefined()
})

test('resources are found by their names and wildcards, the first entry that names one counts', () => {
  const configuration = parseEncryptionConfiguration(
    file([
      { resources: ['secrets', 'crontabs.stable.example.com'], providers: [aesgcm] },
      { resources: ['*.apps'], providers: [{ identity: {} }] },
      { resources: ['*.'], providers: [aesgcm] },
      { resources: ['*.*'], providers: [{ identity: {} }] },
    ]),
  )
  const entryOf = (resource: string): number => configuration.resources.indexOf(configurationFor(configuration, resource)!)
  const resources = ['secrets', 'crontabs.stable.example.com', 'deployments.apps', 'configmaps', 'jobs.batch', 'events', 'leases.coordination.k8s.io']
  expect(resources.map(entryOf)).toEqual([0, 0, 1, 2, 3, -1, -1])
})

test('what is wrong with a file is said with its place, and never what a key is', () => {
  const short = Buffer.from('short').toString('base64')
  const wrong: [string, RegExp][] = [
    ['{', /no YAML/],
    [JSON.stringify({ kind: 'Other' }), /must be an EncryptionConfiguration/],
    [file([]), /at least one/],
    [of([], aesgcm), /resources\[0\]\.resources/],
    [of(['secrets']), /resources\[0\]\.providers/],
    [of(['secrets'], { aesgcm: { keys: [{ name: 'k', secret: short }] } }), /keys\[0\]\.secret: .*REDACTED.*got 5, expected one of \[16 24 32\]/],
    [of(['secrets'], { aesgcm: { keys: [{ name: 'k', secret: '!!' }] } }), /base64/],
    [of(['secrets'], { aesgcm: { keys: [] } }), /at least one key/],
    [of(['secrets'], { aescbc: { keys: [{ name: 'k', secret }] } }), /aescbc is not supported, because/],
    [of(['secrets'], { secretbox: { keys: [{ name: 'k', secret }] } }), /secretbox is not supported, because/],
    [of(['secrets'], { rot13: {} }), /no provider "rot13"/],
    [of(['secrets'], { ...aesgcm, identity: {} }), /a provider is one of/],
    [of(['secrets'], { kms: { apiVersion: 'v1', name: 'x', endpoint: 'unix:///x' } }), /only KMS v2/],
    [of(['secrets'], { kms: { apiVersion: 'v2', name: 'x', endpoint: 'tcp://x' } }), /unix socket/],
    [of(['secrets'], { kms: { apiVersion: 'v2', name: 'x', endpoint: 'unix:///x', timeout: '0s' } }), /positive/],
    [of(['secrets', '*.'], aesgcm), /overlapping/],
    [of(['*'], aesgcm), /use '\*\.<group>'/],
    [of(['sec*'], aesgcm), /use '\*\.<group>'/],
    [of(['events'], aesgcm), /keeps no past/],
    [of(['Secrets'], aesgcm), /lower case/],
  ]
  for (const [text, message] of wrong) {
    let said = ''
    try {
      parseEncryptionConfiguration(text)
    } catch (error) {
      said = (error as Error).message
    }
    expect(said, text).toMatch(message)
    for (const key of [secret, short]) expect(said).not.toContain(key)
  }
})
