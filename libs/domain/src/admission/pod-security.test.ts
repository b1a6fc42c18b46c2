import { describe, expect, test } from 'vitest'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isApiError, type Status } from '@shiplog/api/status'
import type { AdmissionAttributes, AdmissionView } from '../admission.ts'
import { object, pod } from '../testing/objects.ts'
import { createPodSecurity, type PodSecurityExemptions } from './pod-security.plugin.ts'

const namespaceOf = (values: Record<string, string>, name = 'default'): KubeObject => {
  const labels = Object.fromEntries(
    Object.entries(values).map(([mode, value]) => [`pod-security.kubernetes.io/${mode}`, value]),
  )
  return object('v1', 'Namespace', { metadata: { name, namespace: undefined, labels } })
}

/** What the plugin answers: a refusal, or the warnings of what passes. */
const answered = (
  labels: Record<string, string>,
  more: Partial<AdmissionAttributes>,
  exemptions?: PodSecurityExemptions,
  pods: readonly KubeObject[] = [],
): Status | readonly string[] => {
  const view: AdmissionView = {
    get: (resource, namespace, name) =>
      `${resource}/${namespace}/${name}` === 'namespaces//default' ? namespaceOf(labels) : undefined,
    list: (resource, namespace) => (resource === 'pods' && namespace === 'default' ? pods : []),
  }
  const attributes: AdmissionAttributes = {
    operation: 'CREATE',
    group: '',
    resource: 'pods',
    subresource: '',
    namespace: 'default',
    name: 'web',
    object: undefined,
    before: undefined,
    user: { name: 'tester', groups: [] },
    dryRun: false,
    ...more,
  }
  const plugin = createPodSecurity(exemptions)
  try {
    plugin.validate!(attributes, view)
    return plugin.warnings!(attributes, view)
  } catch (error) {
    if (isApiError(error)) return error.status
    throw error
  }
}
const baseline = { enforce: 'baseline' }
const hostPid = pod({ hostPID: true })
const pidRefused = {
  code: 403,
  reason: 'Forbidden',
  message: 'pods "web" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
}

describe('a pod', () => {
  test('is refused by what is enforced, and says all of it', () => {
    expect(answered(baseline, { object: hostPid })).toMatchObject(pidRefused)
    expect(answered(baseline, { object: pod() })).toEqual([])
    expect(answered({ enforce: 'restricted', 'enforce-version': 'v1.22' }, { object: pod() })).toMatchObject({
      message:
        'pods "web" is forbidden: violates PodSecurity "restricted:v1.22": ' +
        'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    })
  })

  test('is only warned of by what warns, and not at all without labels', () => {
    expect(answered({ warn: 'baseline', 'warn-version': 'v1.30' }, { object: hostPid })).toEqual([
      'would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true)',
    ])
    expect(answered({ ...baseline, warn: 'restricted' }, { object: pod() })).toEqual([
      expect.stringContaining('would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false'),
    ])
    expect(answered({ audit: 'restricted' }, { object: hostPid })).toEqual([])
    expect(answered({}, { object: hostPid })).toEqual([])
  })

  test('is looked at again when its images or its ephemeral containers change', () => {
    const update = { operation: 'UPDATE', before: hostPid } as const
    const labelled = pod({ hostPID: true }, { metadata: { labels: { a: 'b' } } })
    expect(answered(baseline, { ...update, object: labelled })).toEqual([])
    const other = pod({ hostPID: true, containers: [{ name: 'app', image: 'nginx:1.30' }] })
    expect(answered(baseline, { ...update, object: other })).toMatchObject(pidRefused)
    const initial = pod({ hostPID: true, initContainers: [{ name: 'init', image: 'a' }] })
    expect(answered(baseline, { ...update, object: initial })).toMatchObject(pidRefused)
    const debugged = pod({ hostPID: true, ephemeralContainers: [{ name: 'debug', image: 'a' }] })
    const attach = { ...update, subresource: 'ephemeralcontainers' }
    expect(answered(baseline, { ...attach, object: debugged })).toMatchObject(pidRefused)
    expect(answered(baseline, { ...attach, before: debugged, object: debugged })).toEqual([])
  })

  test.each(['status', 'binding', 'eviction', 'exec'])('is not looked at in its %s', (subresource) => {
    expect(answered(baseline, { subresource, object: hostPid })).toEqual([])
  })

  test('is judged strictly where the labels are wrong', () => {
    expect(answered({ enforce: 'basline' }, { object: hostPid })).toMatchObject({
      message: expect.stringContaining('violates PodSecurity "restricted:latest": host namespaces (hostPID=true), '),
    })
  })

  test.each<[string, PodSecurityExemptions]>([
    ['namespace', { namespaces: ['default'] }],
    ['user', { usernames: ['tester'] }],
    ['runtime class', { runtimeClasses: ['gvisor'] }],
  ])('may be exempt by its %s', (_, exemptions) => {
    const sandboxed = pod({ hostPID: true, runtimeClassName: 'gvisor' })
    expect(answered(baseline, { object: sandboxed }, exemptions)).toEqual([])
    expect(
      answered(baseline, { object: sandboxed }, { namespaces: ['x'], usernames: ['x'], runtimeClasses: ['x'] }),
    ).toMatchObject(pidRefused)
  })
})

describe('what makes pods', () => {
  const template = { metadata: {}, spec: { hostPID: true, containers: [{ name: 'app', image: 'a' }] } }
  const warning = ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']

  test.each([
    ['', 'replicationcontrollers', { spec: { template } }],
    ['', 'podtemplates', { template }],
    ['apps', 'deployments', { spec: { template } }],
    ['apps', 'replicasets', { spec: { template } }],
    ['apps', 'statefulsets', { spec: { template } }],
    ['apps', 'daemonsets', { spec: { template } }],
    ['batch', 'jobs', { spec: { template } }],
    ['batch', 'cronjobs', { spec: { jobTemplate: { spec: { template } } } }],
  ])('is warned of, not refused: %s %s', (group, resource, rest) => {
    const one = { group, resource, object: object('v1', 'Any', rest) }
    expect(answered(baseline, one)).toEqual(warning)
    expect(answered(baseline, { ...one, operation: 'UPDATE', before: one.object })).toEqual(warning)
    expect(answered(baseline, { ...one, subresource: 'scale' })).toEqual([])
    expect(answered({ ...baseline, warn: 'privileged' }, one)).toEqual([])
    expect(answered({}, one)).toEqual([])
    expect(answered(baseline, one, { usernames: ['tester'] })).toEqual([])
  })

  test('may have no template, and other kinds are not looked at', () => {
    expect(
      answered(baseline, { resource: 'replicationcontrollers', object: object('v1', 'Any', { spec: {} }) }),
    ).toEqual([])
    expect(
      answered(baseline, {
        group: 'example.org',
        resource: 'deployments',
        object: object('v1', 'Any', { spec: { template } }),
      }),
    ).toEqual([])
  })
})

describe('a namespace', () => {
  const written = (object: KubeObject, before?: KubeObject): Partial<AdmissionAttributes> => ({
    resource: 'namespaces',
    namespace: '',
    name: object.metadata.name,
    operation: before ? 'UPDATE' : 'CREATE',
    object,
    before,
  })
  const wrong = namespaceOf({ enforce: 'strict', 'warn-version': '1.30' })

  test('with wrong labels is refused, with a cause each', () => {
    const field = 'metadata.labels[pod-security.kubernetes.io/'
    const refused = {
      code: 422,
      message: `Namespace "default" is invalid: [${field}enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, ${field}warn-version]: Invalid value: "1.30": must be "latest" or "v1.x"]`,
      details: { causes: [{ field: `${field}enforce]` }, { field: `${field}warn-version]` }] },
    }
    expect(answered({}, written(wrong))).toMatchObject(refused)
    expect(answered({}, written(wrong, namespaceOf({})))).toMatchObject(refused)
    expect(answered({}, written(wrong, namespaceOf({ enforce: 'strict' })))).toMatchObject(refused)
  })

  test('keeps wrong labels that it has, and its subresources are not looked at', () => {
    expect(answered({}, written(wrong, wrong))).toEqual([])
    expect(answered({}, { ...written(wrong), subresource: 'finalize' })).toEqual([])
  })

  test.each([
    ['is raised', { enforce: 'privileged' }, baseline, true],
    ['is new', {}, { ...baseline, 'enforce-version': 'v1.30' }, true],
    ['has another version', { ...baseline, 'enforce-version': 'v1.30' }, baseline, true],
    ['is lowered', { enforce: 'restricted' }, baseline, false],
    ['stays', baseline, { ...baseline, warn: 'restricted' }, false],
    ['goes', baseline, {}, false],
  ])('whose level %s tells of the pods in it: %j → %j', (_, before, after, isTold) => {
    const level = `baseline:${'enforce-version' in after ? 'v1.30' : 'latest'}`
    const warnings = [
      `existing pods in namespace "default" violate the new PodSecurity enforce level "${level}"`,
      'web: host namespaces',
    ]
    expect(answered({}, written(namespaceOf(after), namespaceOf(before)), {}, [hostPid, pod()])).toEqual(
      isTold ? warnings : [],
    )
  })

  test('tells of no pods whose runtime class is exempt', () => {
    const sandboxed = pod({ hostPID: true, runtimeClassName: 'gvisor' })
    const update = written(namespaceOf(baseline), namespaceOf({}))
    expect(answered({}, update, { runtimeClasses: ['gvisor'] }, [sandboxed])).toEqual([])
    expect(answered({}, update, { runtimeClasses: ['kata'] }, [sandboxed])).toHaveLength(2)
  })

  test('that is exempt is told that its labels do nothing', () => {
    const labelled = namespaceOf({ ...baseline, 'audit-version': 'v1.30', audit: 'restricted' })
    const told = [
      'namespace "default" is exempt from Pod Security, and the policy (enforce=baseline:latest, audit=restricted:v1.30) will be ignored',
    ]
    const exemptions = { namespaces: ['default'] }
    expect(answered({}, written(labelled), exemptions)).toEqual(told)
    expect(answered({}, written(labelled, namespaceOf({})), exemptions, [hostPid])).toEqual(told)
    expect(answered({}, written(labelled))).toEqual([])
    expect(answered({}, written(namespaceOf({})), exemptions)).toEqual([])
  })
})
