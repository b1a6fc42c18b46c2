import type { Container, Pod } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { processOf, referencesOfContainer } from './container-process.ts'
import { podVolumes, referencesOfVolumes } from './pod-volumes.ts'
import type { Lookup, Referent } from './references.ts'

const object = (kind: string, name: string, more: JsonObject): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'shop', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
  ...more,
})
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const objects: Readonly<Record<string, KubeObject>> = {
  'configmaps/settings': object('ConfigMap', 'settings', {
    data: { COLOR: 'red', 'a=b': 'x' },
    binaryData: { raw: base64('\x01') },
  }),
  'secrets/key': object('Secret', 'key', { data: { password: base64('hush') } }),
}
const lookup: Lookup = (kind, name) => objects[`${kind}/${name}`] as Referent | undefined

const podWith = (container: JsonObject, spec: JsonObject = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-0',
      namespace: 'shop',
      uid: 'uid-1',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { tier: 'front', app: 'web' },
      annotations: { note: 'two\nlines' },
    },
    spec: { serviceAccountName: 'robot', containers: [{ name: 'main', ...container }], ...spec },
  }) as unknown as Pod

const facts = (pod: Pod) => ({
  pod,
  nodeName: 'here',
  nodeIPs: ['10.0.0.5'],
  podIPs: ['10.0.0.5'],
  allocatable: { cpu: '4', memory: '8Gi' },
})

function process(container: JsonObject, spec: JsonObject = {}, uid = 1_000) {
  const whole = { name: 'main', command: ['run'], ...container }
  const pod = podWith(whole, spec)
  return processOf({ ...facts(pod), container: whole as unknown as Container, lookup, base: { PATH: '/bin', SHIPLOG_ROOT: '/r', HOSTNAME: 'web-0' }, uid })
}

describe('the environment', () => {
  test('later variables see earlier ones, and win', () => {
    const { env } = process({
      envFrom: [{ configMapRef: { name: 'settings' }, prefix: 'S_' }, { secretRef: { name: 'key' } }],
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '$(A)-$(S_COLOR)-$(password)-$(C)' },
        { name: 'C', value: 'late' },
        { name: 'A', value: '$(A)2' },
        { name: 'PATH', value: '/opt:$(PATH)' },
      ],
    })
    expect(env).toEqual({
      PATH: '/opt:/bin',
      SHIPLOG_ROOT: '/r',
      HOSTNAME: 'web-0',
      S_COLOR: 'red',
      password: 'hush',
      A: '12',
      B: '1-red-hush-$(C)',
      C: 'late',
    })
  })

  test.each([
    ['metadata.name', 'web-0'],
    ['metadata.namespace', 'shop'],
    ['metadata.uid', 'uid-1'],
    ["metadata.labels['tier']", 'front'],
    ["metadata.labels['none']", ''],
    ["metadata.annotations['note']", 'two\nlines'],
    ['spec.nodeName', 'here'],
    ['spec.serviceAccountName', 'robot'],
    ['status.hostIP', '10.0.0.5'],
    ['status.podIPs', '10.0.0.5'],
  ])('tells of the field %s', (fieldPath, expected) => {
    expect(process({ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] }).env['X']).toBe(expected)
  })

  test.each([
    [{ resource: 'limits.cpu' }, '1'],
    [{ resource: 'limits.cpu', divisor: '1m' }, '250'],
    [{ resource: 'requests.memory', divisor: '1Mi' }, '64'],
    [{ resource: 'requests.cpu' }, '0'],
    // Not limited: the node's.
    [{ resource: 'limits.memory', divisor: '1Gi' }, '8'],
  ])('tells of the resource %j', (resourceFieldRef, expected) => {
    const resources = { limits: { cpu: '250m' }, requests: { memory: '64Mi' } }
    const { env } = process({ resources, env: [{ name: 'X', valueFrom: { resourceFieldRef } }] })
    expect(env['X']).toBe(expected)
  })

  test.each([
    [
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'none', key: 'k' } } }] },
      'configmap "none" not found',
    ],
    [{ env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } }] }, 'secret "none" not found'],
    [
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'k' } } }] },
      "couldn't find key k in ConfigMap shop/settings",
    ],
    [
      { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } }] },
      "couldn't find key k in Secret shop/key",
    ],
    [{ envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found'],
  ])('what is missing is told in upstream’s words: %j', (container, message) => {
    expect(() => process(container)).toThrow(
      expect.objectContaining({ reason: 'CreateContainerConfigError', message }) as Error,
    )
  })

  test('what is optional may be missing', () => {
    const { env } = process({
      envFrom: [{ configMapRef: { name: 'none', optional: true } }],
      env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'key', key: 'k', optional: true } } }],
    })
    expect(env).not.toHaveProperty('X')
  })

  test('names every object that it takes something from', () => {
    expect(
      referencesOfContainer({
        envFrom: [{ configMapRef: { name: 'a' } }, { secretRef: { name: 'b' } }],
        env: [
          { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
          { name: 'D', valueFrom: { secretKeyRef: { name: 'd', key: 'k' } } },
          { name: 'E', value: 'x' },
        ],
        ...{ name: 'main', resources: {} },
      }).map(({ kind, name }) => `${kind}/${name}`),
    ).toEqual(['configmaps/a', 'secrets/b', 'configmaps/c', 'secrets/d'])
  })
})

describe('the process', () => {
  test('is command and arguments with their variables', () => {
    const { command } = process({
      command: ['$(BIN)', '$$(BIN)'],
      args: ['$(SHIPLOG_ROOT)/x'],
      env: [{ name: 'BIN', value: 'node' }],
    })
    expect(command).toEqual(['node', '$(BIN)', '/r/x'])
  })

  test('needs a command: images mean nothing here', () => {
    expect(() => process({ command: [], args: ['x'], image: 'nginx' })).toThrow(
      expect.objectContaining({
        reason: 'CreateContainerError',
        message: expect.stringMatching(
          /runs commands of its machine and no images.*"nginx" is not looked at/,
        ) as string,
      }) as Error,
    )
  })

  test('subPathExpr knows the environment, and no path leads out', () => {
    const mount = (more: JsonObject) => ({ volumeMounts: [{ name: 'data', mountPath: '/data', ...more }] })
    expect(process(mount({ subPathExpr: '$(HOSTNAME)/x' })).mounts).toEqual([
      { volume: 'data', path: '/data', subPath: 'web-0/x' },
    ])
    for (const bad of [{ subPathExpr: '$(UNKNOWN)' }, { subPath: '../x' }, { subPath: '/x' }]) {
      expect(() => process(mount(bad))).toThrow(
        expect.objectContaining({ reason: 'CreateContainerConfigError' }) as Error,
      )
    }
  })

  test('runs as another user only where that can be', () => {
    const asUser = { securityContext: { runAsUser: 2_000 } }
    expect(process({ securityContext: { runAsGroup: 7 } }, asUser, 0)).toMatchObject({ user: 2_000, group: 7 })
    expect(process({}, asUser, 2_000)).not.toHaveProperty('user')
    expect(() => process({}, asUser, 1_000)).toThrow(/only root may arrange: Shiplog runs as user 1000/)
    const nonRoot = { securityContext: { runAsNonRoot: true } }
    expect(() => process({}, nonRoot, 0)).toThrow(/container has runAsNonRoot and image will run as root/)
    expect(() => process({ securityContext: { runAsUser: 0 } }, nonRoot, 0)).toThrow(/breaks non-root policy/)
    expect(process({}, nonRoot, 1_000)).not.toHaveProperty('user')
  })
})

describe('volumes', () => {
  const volumes = (...list: JsonObject[]) => {
    const pod = podWith({ command: ['x'], resources: { limits: { cpu: '2' } } }, { volumes: list })
    return podVolumes(facts(pod), lookup, () => 'a-token').map((volume) =>
      volume.kind === 'files'
        ? {
            ...volume,
            files: Object.fromEntries(
              volume.files.map(({ path, content, mode }) => [
                path,
                `${Buffer.from(content).toString()} ${mode.toString(8)}`,
              ]),
            ),
          }
        : volume,
    )
  }

  test('a ConfigMap gives all its keys, or those that are named, with their modes', () => {
    expect(volumes({ name: 'v', configMap: { name: 'settings' } })[0]).toMatchObject({
      secret: false,
      files: { COLOR: 'red 644', raw: '\x01 644' },
    })
    const items = [{ key: 'COLOR', path: 'deep/color', mode: 0o755 }]
    expect(volumes({ name: 'v', configMap: { name: 'settings', items, defaultMode: 0o400 } })[0]).toMatchObject({
      files: { 'deep/color': 'red 755' },
    })
  })

  test('a Secret is for its owner’s eyes', () => {
    expect(volumes({ name: 'v', secret: { secretName: 'key' } })[0]).toMatchObject({
      secret: true,
      files: { password: 'hush 600' },
    })
  })

  test('the downward API writes labels as upstream does', () => {
    const items = [
      { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
      { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } },
    ]
    expect(volumes({ name: 'v', downwardAPI: { items } })[0]).toMatchObject({
      files: { labels: 'app="web"\ntier="front" 644', cpu: '2 644' },
    })
  })

  test('a projected volume puts sources together and leaves out the token that nobody issues', () => {
    const sources = [
      { serviceAccountToken: { path: 'token' } },
      { configMap: { name: 'settings', items: [{ key: 'COLOR', path: 'color' }] } },
      { secret: { name: 'key' } },
    ]
    expect(volumes({ name: 'v', projected: { sources, defaultMode: 0o440 } })[0]).toMatchObject({
      secret: true,
      files: { color: 'red 440', password: 'hush 400' },
    })
  })

  test.each([
    [{ configMap: { name: 'none' } }, 'configmap "none" not found'],
    [{ secret: { secretName: 'none' } }, 'secret "none" not found'],
    [{ configMap: { name: 'settings', items: [{ key: 'k', path: 'k' }] } }, 'references non-existent config key: k'],
    [{ nfs: { server: 'x', path: '/' } }, 'volumes of type nfs do not exist on a node of processes'],
  ])('what is missing is told in upstream’s words: %j', (volume, message) => {
    expect(() => volumes({ name: 'v', ...volume })).toThrow(
      expect.objectContaining({
        reason: 'FailedMount',
        message: `MountVolume.SetUp failed for volume "v" : ${message}`,
      }) as Error,
    )
  })

  test('what is optional may be missing', () => {
    expect(volumes({ name: 'v', secret: { secretName: 'none', optional: true } })[0]).toMatchObject({ files: {} })
  })

  test('names every object that it takes something from', () => {
    const pod = podWith(
      {},
      {
        volumes: [
          { name: 'a', configMap: { name: 'a' } },
          { name: 'b', secret: { secretName: 'b' } },
          { name: 'c', projected: { sources: [{ secret: { name: 'c' } }, { configMap: { name: 'd' } }] } },
          { name: 'e', emptyDir: {} },
        ],
      },
    )
    expect(referencesOfVolumes(pod).map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'configmaps/a',
      'secrets/b',
      'secrets/c',
      'configmaps/d',
    ])
  })
})
