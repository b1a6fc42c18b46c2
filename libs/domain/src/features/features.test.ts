import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { type FieldType, groupResourceOf } from '@shiplog/api/schema/schema'
import type { KubeObject } from '@shiplog/api/kube-object'
import { describe, expect, test } from 'vitest'
import { object, pod } from '../testing/objects.ts'
import { features } from './features.ts'
import { listFeatures, readmeList } from './listing.ts'
import { valuesAt, warningsFor } from './warnings.ts'

const registry = builtInRegistry()
const told = (resource: string, next: KubeObject, before?: KubeObject, user = 'jane', subresource = ''): string[] =>
  warningsFor({ resource, subresource, user }, next, before).map((text) => text.replace(/^shiplog: /, ''))
const sentenceOf = (id: string): string => features.find((feature) => feature.id === id)!.sentence

const deploymentOf = (spec: Record<string, unknown>): KubeObject =>
  object('apps/v1', 'Deployment', { spec: { template: { spec } } })

describe('the table', () => {
  test('has a row once, a sentence that a header can carry, and only resources that are served', () => {
    expect(new Set(features.map(({ id }) => id)).size).toBe(features.length)
    for (const feature of features) {
      expect(feature.sentence, feature.id).toMatch(/^[\x20-\x7e]{20,200}$/)
      if ('resource' in feature) expect(registry.storage(feature.resource), feature.id).toBeDefined()
    }
  })

  test('names only fields that exist', () => {
    const podSpec = 'io.k8s.api.core.v1.PodSpec'
    for (const feature of features)
      for (const field of 'fields' in feature ? feature.fields : []) {
        const definition = field.of === 'podSpec' ? podSpec : registry.storage(field.of)?.definition
        expect(exists(definition, field.path), `${field.of} ${field.path}`).toBe(true)
      }
  })

  test('is what the README says is not there', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../../../README.md'), 'utf8')
    const list = /<!-- features -->\n([\s\S]*?)\n<!-- \/features -->/.exec(readme)?.[1]
    expect(list, 'npx shiplog features -o markdown prints the list').toBe(readmeList())
  })

  test('lists every resource, and a kind that nothing acts on as stored only', () => {
    const list = listFeatures(registry.resources)
    const served = new Set(registry.resources.map(({ group, resource }) => groupResourceOf(group, resource)))
    for (const name of served)
      expect(
        list.filter((row) => row.name === name),
        name,
      ).toHaveLength(1)
    expect(list.find(({ name }) => name === 'volumeattachments.storage.k8s.io')?.state).toBe('stored only')
    expect(list.find(({ name }) => name === 'deployments.apps')?.state).toBe('works')
  })
})

/** Whether objects of a definition have the path, by its schema. */
function exists(definition: string | undefined, path: string): boolean {
  let at: FieldType | undefined = definition === undefined ? undefined : { type: 'ref', ref: definition }
  for (const [step, prefix] of path.matchAll(/\[\]|\{([^}]*)\}|[^.[{]+/g)) {
    if (at === undefined) return false
    if (prefix !== undefined) at = at.type === 'map' ? at.items : undefined
    else if (step === '[]') at = at.type === 'array' ? at.items : undefined
    else at = at.ref === undefined ? undefined : registry.definition(at.ref).fields[step]
  }
  return at !== undefined
}

/**
 * What something here looks at, what is dropped as upstream drops it (its gate is off), or what only a node with real
 * containers could (`simulated-nodes`).
 */
const used: Readonly<Record<string, { readonly of: string; readonly at: string; readonly fields: string }>> = {
  'core.v1.PodSpec': {
    of: 'podSpec',
    at: '',
    fields: `activeDeadlineSeconds affinity automountServiceAccountToken containers dnsPolicy enableServiceLinks
      ephemeralContainers hostIPC hostNetwork hostPID hostname imagePullSecrets initContainers nodeName nodeSelector os overhead
      preemptionPolicy priority priorityClassName readinessGates resources restartPolicy schedulerName schedulingGates schedulingGroup
      securityContext serviceAccount serviceAccountName subdomain terminationGracePeriodSeconds tolerations
      topologySpreadConstraints volumes`,
  },
  'core.v1.Affinity': { of: 'podSpec', at: 'affinity.', fields: 'nodeAffinity podAffinity podAntiAffinity' },
  'core.v1.Container': {
    of: 'podSpec',
    at: 'containers[].',
    fields: `args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy
      resources securityContext startupProbe stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeMounts
      workingDir`,
  },
  'core.v1.Volume': {
    of: 'podSpec',
    at: 'volumes[].',
    fields: 'configMap downwardAPI emptyDir ephemeral hostPath name persistentVolumeClaim projected secret',
  },
  'core.v1.PodSecurityContext': {
    of: 'podSpec',
    at: 'securityContext.',
    fields: `fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy supplementalGroupsPolicy
      windowsOptions`,
  },
  'core.v1.SecurityContext': {
    of: 'podSpec',
    at: 'containers[].securityContext.',
    fields: 'runAsGroup runAsNonRoot runAsUser windowsOptions',
  },
  'core.v1.ServiceSpec': {
    of: 'services',
    at: 'spec.',
    fields: `allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName externalTrafficPolicy
      healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP
      loadBalancerSourceRanges ports publishNotReadyAddresses selector sessionAffinity sessionAffinityConfig
      trafficDistribution type`,
  },
  'apps.v1.DeploymentSpec': {
    of: 'deployments.apps',
    at: 'spec.',
    fields: 'minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template',
  },
  'apps.v1.ReplicaSetSpec': {
    of: 'replicasets.apps',
    at: 'spec.',
    fields: 'minReadySeconds replicas selector template',
  },
  'apps.v1.DaemonSetSpec': {
    of: 'daemonsets.apps',
    at: 'spec.',
    fields: 'minReadySeconds revisionHistoryLimit selector template updateStrategy',
  },
  'apps.v1.StatefulSetSpec': {
    of: 'statefulsets.apps',
    at: 'spec.',
    fields: `minReadySeconds ordinals persistentVolumeClaimRetentionPolicy podManagementPolicy replicas revisionHistoryLimit
      selector serviceName template updateStrategy volumeClaimTemplates`,
  },
  'batch.v1.CronJobSpec': {
    of: 'cronjobs.batch',
    at: 'spec.',
    fields: `concurrencyPolicy failedJobsHistoryLimit jobTemplate schedule startingDeadlineSeconds
      successfulJobsHistoryLimit suspend timeZone`,
  },
  'batch.v1.JobSpec': {
    of: 'jobs.batch',
    at: 'spec.',
    fields: `activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy manualSelector
      maxFailedIndexes parallelism podFailurePolicy podReplacementPolicy selector successPolicy suspend template
      ttlSecondsAfterFinished`,
  },
}

test.each(Object.entries(used))('every field of %s has an effect or a row', (definition, { of, at, fields }) => {
  const rows = features.flatMap((feature) => ('fields' in feature ? feature.fields : []))
  const withRow = rows
    .filter((field) => field.of === of && field.path.startsWith(at))
    .map((field) => field.path.slice(at.length))
  const known = new Set([...fields.split(/\s+/), ...withRow.map((path) => path.split(/[.[{]/)[0]!)])
  const all = Object.keys(registry.definition(`io.k8s.api.${definition}`).fields)
  expect(all.filter((field) => !known.has(field))).toEqual([])
})

describe('a kind that nothing acts on', () => {
  const attachment = object('storage.k8s.io/v1', 'VolumeAttachment', { spec: { attacher: 'a' } })

  test('is told of at every write of the object itself, once', () => {
    const sentence = sentenceOf('volumeattachments.storage.k8s.io')
    expect(told('volumeattachments.storage.k8s.io', attachment)).toEqual([sentence])
    expect(told('volumeattachments.storage.k8s.io', attachment, attachment)).toEqual([sentence])
  })

  test('is not told of when status is written, nor to components', () => {
    expect(told('volumeattachments.storage.k8s.io', attachment, attachment, 'jane', 'status')).toEqual([])
    expect(told('volumeattachments.storage.k8s.io', attachment, undefined, 'system:kube-controller-manager')).toEqual([])
    expect(told('volumeattachments.storage.k8s.io', attachment, undefined, 'system:serviceaccount:ci:argo')).toHaveLength(
      1,
    )
  })
})

describe('a field that is ignored', () => {
  test('is told of in pods and in what pods are made from', () => {
    const spec = { resourceClaims: [{ name: 'gpu' }], os: { name: 'windows' } }
    const both = [sentenceOf('pod-resource-claims'), sentenceOf('pod-os')]
    expect(told('pods', pod(spec))).toEqual(both)
    expect(told('deployments.apps', deploymentOf(spec))).toEqual(both)
    expect(told('jobs.batch', deploymentOf(spec))).toEqual(both)
  })

  test('is told of when it is added or changed, and not when something else changes', () => {
    const resourceClaims = [{ name: 'gpu' }]
    const before = deploymentOf({ resourceClaims, containers: [{ image: 'a:1' }] })
    const image = deploymentOf({ resourceClaims, containers: [{ image: 'a:2' }] })
    const more = deploymentOf({ resourceClaims: [...resourceClaims, { name: 'disk' }], containers: [] })
    expect(told('deployments.apps', image, before)).toEqual([])
    expect(told('deployments.apps', more, before)).toEqual([sentenceOf('pod-resource-claims')])
    expect(told('deployments.apps', deploymentOf({}), before)).toEqual([])
    expect(told('deployments.apps', before, deploymentOf({}))).toEqual([sentenceOf('pod-resource-claims')])
  })

  test('is told of once, however often it occurs', () => {
    const containers = ['a', 'b'].map((name) => ({ name, volumeDevices: [{ name }] }))
    expect(told('pods', pod({ containers }))).toEqual([sentenceOf('block-volumes')])
  })

  test('is nothing to be told of where it says nothing', () => {
    expect(told('pods', pod({ resourceClaims: [], os: {} }))).toEqual([])
    expect(
      told('pods', pod({ hostUsers: false, securityContext: {}, volumes: [{ name: 'a', emptyDir: {} }] })),
    ).toEqual([])
    expect(told('services', object('v1', 'Service', { spec: { type: 'ClusterIP', sessionAffinity: 'None' } }))).toEqual(
      [],
    )
    expect(told('secrets', object('v1', 'Secret', { type: 'Opaque' }))).toEqual([])
    expect(told('namespaces', object('v1', 'Namespace', { metadata: { labels: { team: 'a' } } }))).toEqual([])
  })

  test('is known by its value', () => {
    expect(told('pods', pod({ os: { name: 'windows' } }))).toEqual([sentenceOf('pod-os')])
    expect(told('pods', pod({ os: { name: 'linux' } }))).toEqual([])
  })

  test('of nodes of processes is told to pods that ask for one', () => {
    const spec = { hostUsers: false, volumes: [{ name: 'a', nfs: { server: 's', path: '/' } }] }
    const nodeSelector = { 'shiplog.dev/runtime': 'process' }
    expect(told('pods', pod(spec))).toEqual([])
    expect(told('pods', pod({ ...spec, nodeSelector }))).toEqual([
      sentenceOf('process-volumes'),
      sentenceOf('process-security'),
    ])
    expect(told('pods', pod({ ...spec, nodeSelector: { 'shiplog.dev/runtime': 'simulated' } }))).toEqual([])
  })

  test('may be a subresource', () => {
    expect(told('pods', pod(), pod(), 'jane', 'resize')).toEqual([sentenceOf('pod-resize')])
    expect(told('pods', pod(), pod(), 'jane', 'status')).toEqual([])
  })
})

test('a path leads through lists and by the beginning of keys', () => {
  const value = { a: [{ b: 1 }, {}, { b: 2 }], c: { 'x/1': 'p', 'y/1': 'q' } }
  expect(valuesAt(value, 'a[].b')).toEqual([1, undefined, 2])
  expect(valuesAt(value, 'c{x/}')).toEqual([['x/1', 'p']])
  expect(valuesAt(value, 'a.b')).toEqual([undefined])
  expect(valuesAt(null, 'a[].b')).toEqual([])
})
