import { describe, expect, test } from 'vitest'
import type { Decoded } from '@shiplog/api/decoded'
import type { Container, PodSpec, PodTemplateSpec, SecurityContext } from '@shiplog/api/generated/types/core-v1'
import { baselineChecks, detailsText, evaluatePod, reasonsText, restrictedChecks } from './evaluate.ts'
import type { Level } from './policy.ts'

type Spec = Decoded<PodSpec>

const latest = Number.POSITIVE_INFINITY
/** What restricted asks of a container and of a pod. */
const kept: Decoded<SecurityContext> = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
const keptByPod = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } as const
const container = (name: string, securityContext: Decoded<SecurityContext> = {}, rest: Decoded<Container> = {}) => ({
  ...rest,
  name,
  securityContext: { ...kept, ...securityContext },
})
const podOf = (spec: Spec, annotations: Record<string, string> = {}): Decoded<PodTemplateSpec> => ({
  metadata: { annotations },
  spec: { containers: [container('a')], ...spec, securityContext: { ...keptByPod, ...spec.securityContext } },
})
const told = (pod: Decoded<PodTemplateSpec>, level: Level, version = latest): string =>
  detailsText(evaluatePod(pod, { level, version }))

const hostOf = (host: string) => ({ httpGet: { host, port: 80 } })
/** Of a Windows pod nothing more is asked than this. */
const windows: Spec = {
  os: { name: 'windows' },
  containers: [{ name: 'a' }],
  securityContext: { seccompProfile: undefined },
}

interface Row {
  readonly check: string
  readonly level: Level
  readonly version?: number
  readonly spec?: Spec
  readonly annotations?: Record<string, string>
  /** '' when the pod is allowed. */
  readonly says: string
}

const onePod = (name: string, securityContext: Decoded<SecurityContext>): Spec => ({
  containers: [container(name, securityContext)],
})

const privilegeRows: readonly Row[] = [
  {
    check: 'privileged',
    level: 'baseline',
    spec: {
      initContainers: [container('init', { privileged: true })],
      containers: [container('a', { privileged: true }), container('b', { privileged: false })],
    },
    says: 'privileged (containers "init", "a" must not set securityContext.privileged=true)',
  },
  {
    check: 'windowsHostProcess',
    level: 'baseline',
    spec: {
      securityContext: { windowsOptions: { hostProcess: true } },
      containers: [container('a', { windowsOptions: { hostProcess: true } })],
    },
    says: 'hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)',
  },
  {
    check: 'windowsHostProcess',
    level: 'baseline',
    spec: onePod('a', { windowsOptions: { hostProcess: false } }),
    says: '',
  },
  {
    check: 'allowPrivilegeEscalation',
    level: 'restricted',
    spec: {
      containers: [container('a', { allowPrivilegeEscalation: undefined })],
      ephemeralContainers: [container('debug', { allowPrivilegeEscalation: true })],
    },
    says: 'allowPrivilegeEscalation != false (containers "a", "debug" must set securityContext.allowPrivilegeEscalation=false)',
  },
  { check: 'allowPrivilegeEscalation', level: 'restricted', version: 25, spec: windows, says: '' },
  {
    check: 'allowPrivilegeEscalation',
    level: 'restricted',
    version: 7,
    spec: onePod('a', { allowPrivilegeEscalation: true }),
    says: '',
  },
  {
    check: 'capabilities_baseline',
    level: 'baseline',
    spec: {
      containers: [
        container('a', { capabilities: { add: ['SYS_ADMIN', 'NET_RAW'] } }),
        container('b', { capabilities: { add: ['CHOWN', 'KILL'] } }),
      ],
    },
    says: 'non-default capabilities (container "a" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
  },
  {
    check: 'capabilities_restricted',
    level: 'restricted',
    spec: {
      containers: [
        container('a', { capabilities: { add: ['CHOWN', 'NET_BIND_SERVICE'], drop: ['ALL'] } }),
        container('b', { capabilities: { drop: ['CHOWN'] } }),
      ],
    },
    says: 'unrestricted capabilities (container "b" must set securityContext.capabilities.drop=["ALL"]; container "a" must not include "CHOWN" in securityContext.capabilities.add)',
  },
  {
    check: 'capabilities_restricted',
    level: 'restricted',
    spec: onePod('a', { capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] } }),
    says: '',
  },
  {
    check: 'capabilities_restricted',
    level: 'restricted',
    version: 21,
    spec: onePod('a', { capabilities: { add: ['CHOWN'] } }),
    says: '',
  },
]

const hostRows: readonly Row[] = [
  {
    check: 'hostNamespaces',
    level: 'baseline',
    spec: { hostPID: true, hostIPC: true, hostNetwork: true },
    says: 'host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)',
  },
  { check: 'hostNamespaces', level: 'baseline', spec: { hostPID: false }, says: '' },
  {
    check: 'hostPorts',
    level: 'baseline',
    spec: {
      containers: [
        container(
          'a',
          {},
          {
            ports: [
              { containerPort: 80, hostPort: 80 },
              { containerPort: 1, hostPort: 443 },
            ],
          },
        ),
        container('b', {}, { ports: [{ containerPort: 8080, hostPort: 0 }, { containerPort: 9 }] }),
      ],
    },
    says: 'hostPort (container "a" uses hostPorts 443, 80)',
  },
  {
    check: 'hostPorts',
    level: 'baseline',
    spec: {
      containers: ['a', 'b'].map((name) => container(name, {}, { ports: [{ containerPort: 80, hostPort: 80 }] })),
    },
    says: 'hostPort (containers "a", "b" use hostPort 80)',
  },
  {
    check: 'hostProbesAndHostLifecycle',
    level: 'baseline',
    spec: {
      containers: [
        container(
          'b',
          {},
          { livenessProbe: hostOf('h2'), lifecycle: { preStop: { tcpSocket: { host: 'h1', port: 1 } } } },
        ),
        container('a', {}, { startupProbe: hostOf('h2') }),
        container('c', {}, { readinessProbe: hostOf('') }),
      ],
    },
    says: 'probe or lifecycle host (containers "a", "b" use probe or lifecycle hosts "h1", "h2")',
  },
  {
    check: 'hostProbesAndHostLifecycle',
    level: 'baseline',
    version: 33,
    spec: { containers: [container('a', {}, { startupProbe: hostOf('h2') })] },
    says: '',
  },
  ...(
    [
      [0, ''],
      [27, 'net.ipv4.ip_local_reserved_ports'],
      [29, 'net.ipv4.tcp_fin_timeout'],
      [32, 'net.ipv4.tcp_rmem'],
    ] as const
  ).flatMap(([since, name]): Row[] => {
    const spec = { securityContext: { sysctls: [{ name: name || 'net.ipv4.tcp_syncookies', value: '1' }] } }
    const refused = {
      check: 'sysctls',
      level: 'baseline',
      version: since - 1,
      spec,
      says: `forbidden sysctls (${name})`,
    } as const
    return [...(since > 0 ? [refused] : []), { ...refused, version: since, says: '' }]
  }),
  {
    check: 'sysctls',
    level: 'baseline',
    spec: { securityContext: { sysctls: ['kernel.b', 'kernel.a'].map((name) => ({ name, value: '1' })) } },
    says: 'forbidden sysctls (kernel.b, kernel.a)',
  },
]

const volumeRows: readonly Row[] = [
  {
    check: 'hostPathVolumes',
    level: 'baseline',
    spec: {
      volumes: [
        { name: 'v', hostPath: { path: '/' } },
        { name: 'w', hostPath: { path: '/' } },
        { name: 'e', emptyDir: {} },
      ],
    },
    says: 'hostPath volumes (volumes "v", "w")',
  },
  {
    check: 'restrictedVolumes',
    level: 'restricted',
    spec: {
      volumes: [
        { name: 'v', hostPath: { path: '/' } },
        { name: 'w', nfs: { server: 's', path: '/' } },
        { name: 'e', emptyDir: {} },
      ],
    },
    says: 'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
  },
  {
    check: 'restrictedVolumes',
    level: 'restricted',
    spec: { volumes: [{ name: 'v' }] },
    says: 'restricted volume types (volume "v" uses restricted volume type "unknown")',
  },
  {
    check: 'restrictedVolumes',
    level: 'restricted',
    spec: {
      volumes: [
        { name: 'a', configMap: { name: 'c' } },
        { name: 'b', image: { reference: 'i' } },
        { name: 'c', csi: { driver: 'd' } },
        { name: 'd', ephemeral: {} },
      ],
    },
    says: '',
  },
]

const userRows: readonly Row[] = [
  {
    check: 'runAsNonRoot',
    level: 'restricted',
    spec: { securityContext: { runAsNonRoot: false }, containers: [container('a', { runAsNonRoot: false })] },
    says: 'runAsNonRoot != true (pod and container "a" must not set securityContext.runAsNonRoot=false)',
  },
  {
    check: 'runAsNonRoot',
    level: 'restricted',
    spec: {
      securityContext: { runAsNonRoot: undefined },
      containers: [container('a'), container('b', { runAsNonRoot: true })],
    },
    says: 'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
  },
  {
    check: 'runAsNonRoot',
    level: 'restricted',
    spec: { hostUsers: false, securityContext: { runAsNonRoot: false } },
    says: '',
  },
  {
    check: 'runAsUser',
    level: 'restricted',
    spec: {
      securityContext: { runAsUser: 0 },
      containers: [container('a', { runAsUser: 0 }), container('b', { runAsUser: 1 })],
    },
    says: 'runAsUser=0 (pod and container "a" must not set runAsUser=0)',
  },
  { check: 'runAsUser', level: 'restricted', version: 22, spec: { securityContext: { runAsUser: 0 } }, says: '' },
  {
    check: 'runAsUser',
    level: 'restricted',
    version: 34,
    spec: { hostUsers: false, securityContext: { runAsUser: 0 } },
    says: 'runAsUser=0 (pod must not set runAsUser=0)',
  },
  {
    check: 'runAsUser',
    level: 'restricted',
    version: 35,
    spec: { hostUsers: false, securityContext: { runAsUser: 0 } },
    says: '',
  },
]

const appArmor = 'container.apparmor.security.beta.kubernetes.io/'
const unmasked = { procMount: 'Unmasked' } as const
const profileRows: readonly Row[] = [
  {
    check: 'appArmorProfile',
    level: 'baseline',
    spec: {
      securityContext: { appArmorProfile: { type: 'Unconfined' } },
      containers: [container('a', { appArmorProfile: { type: 'Localhost' } })],
    },
    annotations: { [`${appArmor}a`]: 'unconfined', [`${appArmor}b`]: 'localhost/x' },
    says: `forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to "Unconfined", "${appArmor}a="unconfined"")`,
  },
  {
    check: 'appArmorProfile',
    level: 'baseline',
    spec: onePod('a', { appArmorProfile: { type: 'Unconfined' } }),
    says: 'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
  },
  {
    check: 'seccompProfile_baseline',
    level: 'baseline',
    spec: { securityContext: { seccompProfile: { type: 'Unconfined' } } },
    says: 'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
  },
  {
    check: 'seccompProfile_baseline',
    level: 'baseline',
    spec: { securityContext: { seccompProfile: undefined } },
    says: '',
  },
  {
    check: 'seccompProfile_baseline',
    level: 'baseline',
    version: 18,
    annotations: {
      'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
      'container.seccomp.security.alpha.kubernetes.io/a': 'docker/default',
      'container.seccomp.security.alpha.kubernetes.io/gone': 'unconfined',
    },
    says: 'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
  },
  {
    check: 'seccompProfile_restricted',
    level: 'restricted',
    spec: {
      securityContext: { seccompProfile: undefined },
      containers: [container('a'), container('b', { seccompProfile: { type: 'Localhost' } })],
    },
    says: 'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  },
  { check: 'seccompProfile_restricted', level: 'restricted', spec: windows, says: '' },
  {
    check: 'seLinuxOptions',
    level: 'baseline',
    spec: {
      securityContext: { seLinuxOptions: { type: 'spc_t', user: 'u' } },
      containers: [container('a', { seLinuxOptions: { type: 'container_t', role: 'r' } })],
    },
    says: 'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
  },
  {
    check: 'seLinuxOptions',
    level: 'baseline',
    version: 30,
    spec: onePod('a', { seLinuxOptions: { type: 'container_engine_t' } }),
    says: 'seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
  },
  {
    check: 'seLinuxOptions',
    level: 'baseline',
    version: 31,
    spec: onePod('a', { seLinuxOptions: { type: 'container_engine_t' } }),
    says: '',
  },
  {
    check: 'procMount',
    level: 'baseline',
    spec: onePod('a', unmasked),
    says: 'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
  },
  { check: 'procMount', level: 'baseline', spec: { ...onePod('a', unmasked), hostUsers: false }, says: '' },
  {
    check: 'procMount_restricted',
    level: 'restricted',
    spec: { ...onePod('a', unmasked), hostUsers: false },
    says: 'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
  },
]

const rows = [...privilegeRows, ...hostRows, ...volumeRows, ...userRows, ...profileRows]

describe('a check', () => {
  test.each(rows)('$check says "$says" at $level as of $version', ({
    level,
    version,
    spec = {},
    annotations,
    says,
  }) => {
    expect(told(podOf(spec, annotations), level, version)).toBe(says)
  })

  test('has a row each that it refuses', () => {
    const refusing = new Set(rows.flatMap(({ check, says }) => (says === '' ? [] : [check])))
    expect([...refusing].sort()).toEqual([...baselineChecks, ...restrictedChecks].map(({ id }) => id).sort())
  })

  test('overrides one of baseline, and its forms ascend', () => {
    const ids = new Set(baselineChecks.map(({ id }) => id))
    for (const { id, overrides, versions } of [...baselineChecks, ...restrictedChecks]) {
      if (overrides !== undefined) expect(ids.has(overrides), id).toBe(true)
      const since = versions.map(([version]) => version)
      expect(since, id).toEqual([...new Set(since)].sort((a, b) => a - b))
    }
  })
})

describe('a level', () => {
  const bare = { spec: { containers: [{ name: 'a' }] } }

  test('privileged allows everything', () => {
    expect(evaluatePod(podOf({ hostPID: true }), { level: 'privileged', version: latest })).toEqual([])
  })

  test('baseline asks nothing of an ordinary pod, restricted asks four things of it', () => {
    expect(told(bare, 'baseline')).toBe('')
    expect(told(bare, 'restricted')).toBe(
      'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    )
  })

  test('restricted includes baseline, whose checks come first', () => {
    const violations = evaluatePod(podOf({ hostPID: true, securityContext: { runAsUser: 0 } }), {
      level: 'restricted',
      version: latest,
    })
    expect(reasonsText(violations)).toBe('host namespaces, runAsUser=0')
  })

  test('of an old version asks what that version asked, of a future one what the newest does', () => {
    expect(told(bare, 'restricted', 7)).toBe(
      'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    )
    expect(told(bare, 'restricted', 999)).toBe(told(bare, 'restricted'))
  })

  test('asks the same of a pod whose lists are null', () => {
    expect(told({ spec: { containers: null } }, 'restricted')).toBe('')
    expect(told({}, 'baseline')).toBe('')
  })
})
