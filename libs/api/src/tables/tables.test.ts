// Golden tables: each is what `kubectl get` prints for the objects above it (two spaces between columns here).
import { describe, expect, test } from 'vitest'
import type { JsonObject, KubeObject } from '../kube-object.ts'
import { printerFor, tableOf } from './tables.ts'

const nowMs = Date.parse('2026-11-23T17:00:00Z')
const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString().replace('.000', '')

const object = (name: string, fields: JsonObject = {}, metadata: JsonObject = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Any',
  ...fields,
  metadata: { name, uid: 'u', creationTimestamp: ago(90), ...metadata },
})

/** As kubectl: upper-case headings, priority 1 only when wide, one line a row. */
function render(groupResource: string, objects: readonly KubeObject[], options: { wide?: boolean } = {}): string[] {
  const table = tableOf(objects, printerFor(groupResource), { nowMs })
  const shown = (table['columnDefinitions'] as JsonObject[])
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => options.wide || column['priority'] === 0)
  const lines = [shown.map(({ column }) => column['name'].toUpperCase())]
  for (const row of table['rows']) lines.push(shown.map(({ index }) => String(row.cells[index])))
  return lines.map((cells) => cells.join('|'))
}

const pod = (name: string, spec: JsonObject, status: JsonObject, metadata: JsonObject = {}): KubeObject =>
  object(name, { spec: { containers: [{ name: 'a' }, { name: 'b' }], ...spec }, status }, metadata)

const running = { ready: true, started: true, restartCount: 0, state: { running: {} } }
const status = (...statuses: readonly JsonObject[]): JsonObject => ({
  phase: 'Running',
  containerStatuses: statuses,
  conditions: [{ type: 'Initialized', status: 'True' }],
})

describe('the table of pods', () => {
  const cases: readonly (readonly [string, KubeObject, string])[] = [
    ['a pod that waits for a node', pod('p', {}, { phase: 'Pending' }), 'p|0/2|Pending|0|90s'],
    ['a running pod', pod('p', {}, status(running, running)), 'p|2/2|Running|0|90s'],
    [
      'a gated pod',
      pod(
        'p',
        {},
        {
          phase: 'Pending',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
        },
      ),
      'p|0/2|SchedulingGated|0|90s',
    ],
    [
      'a container in back-off, restarted five minutes ago',
      pod(
        'p',
        {},
        status(running, {
          restartCount: 3,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, finishedAt: ago(300) } },
        }),
      ),
      'p|1/2|CrashLoopBackOff|3 (5m ago)|90s',
    ],
    [
      'restarts without a known end show only the number',
      pod('p', {}, status({ ...running, restartCount: 2 }, running)),
      'p|2/2|Running|2|90s',
    ],
    [
      'an image that cannot be pulled',
      pod('p', {}, { ...status({ state: { waiting: { reason: 'ErrImagePull' } } }, running), phase: 'Pending' }),
      'p|1/2|ErrImagePull|0|90s',
    ],
    [
      'a finished pod',
      pod(
        'p',
        {},
        {
          ...status(...[0, 0].map((exitCode) => ({ state: { terminated: { reason: 'Completed', exitCode } } }))),
          phase: 'Succeeded',
        },
      ),
      'p|0/2|Completed|0|90s',
    ],
    [
      'one container ended, one runs, and the pod is ready',
      pod(
        'p',
        {},
        {
          ...status({ state: { terminated: { reason: 'Completed', exitCode: 0 } } }, running),
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      ),
      'p|1/2|Running|0|90s',
    ],
    [
      'one container ended, one runs, and the pod is not ready',
      pod('p', {}, status({ state: { terminated: { reason: 'Completed', exitCode: 0 } } }, running)),
      'p|1/2|NotReady|0|90s',
    ],
    [
      'an exit code without a reason',
      pod('p', {}, { ...status({ state: { terminated: { exitCode: 3 } } }), phase: 'Failed' }),
      'p|0/2|ExitCode:3|0|90s',
    ],
    [
      'a signal without a reason',
      pod('p', {}, { ...status({ state: { terminated: { exitCode: 137, signal: 9 } } }), phase: 'Failed' }),
      'p|0/2|Signal:9|0|90s',
    ],
    ['an evicted pod', pod('p', {}, { phase: 'Failed', reason: 'Evicted' }), 'p|0/2|Evicted|0|90s'],
    [
      'a pod that is being deleted',
      pod('p', {}, status(running, running), { deletionTimestamp: ago(1) }),
      'p|2/2|Terminating|0|90s',
    ],
    [
      'a finished pod that is being deleted stays what it was',
      pod('p', {}, { phase: 'Failed', reason: 'Evicted' }, { deletionTimestamp: ago(1) }),
      'p|0/2|Evicted|0|90s',
    ],
    [
      'a pod on a lost node',
      pod('p', {}, { phase: 'Running', reason: 'NodeLost' }, { deletionTimestamp: ago(1) }),
      'p|0/2|Unknown|0|90s',
    ],
    [
      'the second of three init containers runs',
      pod(
        'p',
        { initContainers: [{ name: 'x' }, { name: 'y' }, { name: 'z' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [
            { name: 'x', state: { terminated: { exitCode: 0 } } },
            { name: 'y', state: { running: {} } },
            { name: 'z', state: { waiting: { reason: 'PodInitializing' } } },
          ],
        },
      ),
      'p|0/2|Init:1/3|0|90s',
    ],
    [
      'an init container that crashes',
      pod(
        'p',
        { initContainers: [{ name: 'x' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [
            {
              name: 'x',
              restartCount: 4,
              state: { waiting: { reason: 'CrashLoopBackOff' } },
              lastState: { terminated: { exitCode: 1, finishedAt: ago(60) } },
            },
          ],
        },
      ),
      'p|0/2|Init:CrashLoopBackOff|4 (60s ago)|90s',
    ],
    [
      'an init container that failed',
      pod(
        'p',
        { initContainers: [{ name: 'x' }] },
        { phase: 'Failed', initContainerStatuses: [{ name: 'x', state: { terminated: { exitCode: 7 } } }] },
      ),
      'p|0/2|Init:ExitCode:7|0|90s',
    ],
    [
      'a sidecar counts as a container, and only its restarts remain once the pod is initialized',
      pod(
        'p',
        { initContainers: [{ name: 'x' }, { name: 'side', restartPolicy: 'Always' }] },
        {
          ...status(running, running),
          initContainerStatuses: [
            { name: 'x', restartCount: 5, state: { terminated: { exitCode: 0 } } },
            { name: 'side', ...running, restartCount: 1 },
          ],
        },
      ),
      'p|3/3|Running|1|90s',
    ],
  ]
  test.each(cases)('%s', (_name, given, line) => {
    expect(render('pods', [given])).toEqual(['NAME|READY|STATUS|RESTARTS|AGE', line])
  })

  test('wide shows address, node, nominated node and readiness gates', () => {
    const given = pod(
      'p',
      { nodeName: 'n1', readinessGates: [{ conditionType: 'lb' }, { conditionType: 'mesh' }] },
      { ...status(running, running), podIPs: [{ ip: '10.0.0.1' }], conditions: [{ type: 'lb', status: 'True' }] },
    )
    expect(render('pods', [given, pod('q', {}, { phase: 'Pending' })], { wide: true })).toEqual([
      'NAME|READY|STATUS|RESTARTS|AGE|IP|NODE|NOMINATED NODE|READINESS GATES',
      'p|2/2|Running|0|90s|10.0.0.1|n1|<none>|1/2',
      'q|0/2|Pending|0|90s|<none>|<none>|<none>|<none>',
    ])
  })

  test('a pod that has run to its end says so in the conditions of its row', () => {
    const table = tableOf([pod('p', {}, { phase: 'Failed' }), pod('q', {}, { phase: 'Running' })], printerFor('pods'), {
      nowMs,
    })
    expect(table['rows'][0].conditions).toEqual([
      { type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' },
    ])
    expect(table['rows'][1].conditions).toBeUndefined()
  })
})

const template = {
  spec: {
    containers: [
      { name: 'web', image: 'nginx:1' },
      { name: 'log', image: 'fluent:2' },
    ],
  },
}
const selector = {
  matchLabels: { tier: 'x', app: 'web' },
  matchExpressions: [
    { key: 'env', operator: 'In', values: ['b', 'a'] },
    { key: 'old', operator: 'DoesNotExist' },
    { key: 'zone', operator: 'Exists' },
    { key: 'rack', operator: 'NotIn', values: ['r1'] },
  ],
}
const selectorShown = 'app=web,env in (a,b),!old,rack notin (r1),tier=x,zone'

/** Resource, object, and its table with all columns (priority 1 after a `#`). */
const golden: readonly (readonly [string, KubeObject, string, string])[] = [
  [
    'deployments.apps',
    object('web', {
      spec: { replicas: 3, selector, template },
      status: { readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2 },
    }),
    'NAME|READY|UP-TO-DATE|AVAILABLE|AGE|CONTAINERS|IMAGES|SELECTOR',
    `web|2/3|1|2|90s|web,log|nginx:1,fluent:2|${selectorShown}`,
  ],
  [
    'replicasets.apps',
    object('web', { spec: { replicas: 3, selector: { matchLabels: { a: 'b' } }, template }, status: { replicas: 3 } }),
    'NAME|DESIRED|CURRENT|READY|AGE|CONTAINERS|IMAGES|SELECTOR',
    'web|3|3|0|90s|web,log|nginx:1,fluent:2|a=b',
  ],
  [
    'replicationcontrollers',
    object('web', { spec: { replicas: 1, selector: { b: '2', a: '1' }, template }, status: { readyReplicas: 1 } }),
    'NAME|DESIRED|CURRENT|READY|AGE|CONTAINERS|IMAGES|SELECTOR',
    'web|1|0|1|90s|web,log|nginx:1,fluent:2|a=1,b=2',
  ],
  [
    'statefulsets.apps',
    object('db', { spec: { replicas: 3, template }, status: { readyReplicas: 1 } }),
    'NAME|READY|AGE|CONTAINERS|IMAGES',
    'db|1/3|90s|web,log|nginx:1,fluent:2',
  ],
  [
    'daemonsets.apps',
    object('agent', {
      spec: { template, selector: { matchLabels: { a: 'b' } } },
      status: { desiredNumberScheduled: 3, currentNumberScheduled: 2, numberReady: 1 },
    }),
    'NAME|DESIRED|CURRENT|READY|UP-TO-DATE|AVAILABLE|NODE SELECTOR|AGE|CONTAINERS|IMAGES|SELECTOR',
    'agent|3|2|1|0|0|<none>|90s|web,log|nginx:1,fluent:2|a=b',
  ],
  [
    'jobs.batch',
    object('once', {
      spec: { completions: 2, template, selector: { matchLabels: { a: 'b' } } },
      status: {
        succeeded: 2,
        startTime: ago(80),
        completionTime: ago(20),
        conditions: [{ type: 'Complete', status: 'True' }],
      },
    }),
    'NAME|STATUS|COMPLETIONS|DURATION|AGE|CONTAINERS|IMAGES|SELECTOR',
    'once|Complete|2/2|60s|90s|web,log|nginx:1,fluent:2|a=b',
  ],
  [
    'jobs.batch',
    object('many', { spec: { parallelism: 4, template }, status: { startTime: ago(30) } }),
    'NAME|STATUS|COMPLETIONS|DURATION|AGE|CONTAINERS|IMAGES|SELECTOR',
    'many|Running|0/1 of 4|30s|90s|web,log|nginx:1,fluent:2|<none>',
  ],
  [
    'cronjobs.batch',
    object('nightly', {
      spec: { schedule: '0 1 * * *', suspend: false, jobTemplate: { spec: { template } } },
      status: { active: [{}], lastScheduleTime: ago(3600) },
    }),
    'NAME|SCHEDULE|TIMEZONE|SUSPEND|ACTIVE|LAST SCHEDULE|AGE|CONTAINERS|IMAGES|SELECTOR',
    'nightly|0 1 * * *|<none>|False|1|60m|90s|web,log|nginx:1,fluent:2|<none>',
  ],
  [
    'podtemplates',
    object('t', { template: { ...template, metadata: { labels: { a: 'b' } } } }),
    'NAME|CONTAINERS|IMAGES|POD LABELS',
    't|web,log|nginx:1,fluent:2|a=b',
  ],
  [
    'controllerrevisions.apps',
    object(
      'db-1',
      { revision: 4 },
      { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true }] },
    ),
    'NAME|CONTROLLER|REVISION|AGE',
    'db-1|statefulset.apps/db|4|90s',
  ],
  [
    'poddisruptionbudgets.policy',
    object('pdb', { spec: { minAvailable: '50%' }, status: { disruptionsAllowed: 1 } }),
    'NAME|MIN AVAILABLE|MAX UNAVAILABLE|ALLOWED DISRUPTIONS|AGE',
    'pdb|50%|N/A|1|90s',
  ],
  [
    'priorityclasses.scheduling.k8s.io',
    object('high', { value: 1000, preemptionPolicy: 'PreemptLowerPriority' }),
    'NAME|VALUE|GLOBAL-DEFAULT|AGE|PREEMPTIONPOLICY',
    'high|1000|false|90s|PreemptLowerPriority',
  ],
  [
    'services',
    object('web', {
      spec: {
        type: 'NodePort',
        clusterIPs: ['10.96.0.7'],
        ports: [
          { port: 80, nodePort: 30080, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
        ],
        selector: { app: 'web' },
      },
    }),
    'NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE|SELECTOR',
    'web|NodePort|10.96.0.7|<none>|80:30080/TCP,53/UDP|90s|app=web',
  ],
  [
    'services',
    object('out', { spec: { type: 'ExternalName', externalName: 'db.example.com' } }),
    'NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE|SELECTOR',
    'out|ExternalName|<none>|db.example.com|<none>|90s|<none>',
  ],
  [
    'services',
    object('lb', { spec: { type: 'LoadBalancer', clusterIPs: ['10.0.0.1'], ports: [{ port: 1, protocol: 'TCP' }] } }),
    'NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE|SELECTOR',
    'lb|LoadBalancer|10.0.0.1|<pending>|1/TCP|90s|<none>',
  ],
  [
    'services',
    object('lb', {
      spec: { type: 'LoadBalancer', clusterIPs: ['None'], externalIPs: ['9.9.9.9'] },
      status: { loadBalancer: { ingress: [{ ip: '2.2.2.2' }, { hostname: 'a.example' }, { ip: '1.1.1.1' }] } },
    }),
    'NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE|SELECTOR',
    'lb|LoadBalancer|None|1.1.1.1,2.2.2.2,a.example,9.9.9.9|<none>|90s|<none>',
  ],
  [
    'endpoints',
    object('web', {
      subsets: [
        {
          addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }, { ip: 'fd00::1' }, { ip: '10.0.0.4' }],
          ports: [{ port: 80 }],
        },
      ],
    }),
    'NAME|ENDPOINTS|AGE',
    'web|10.0.0.1:80,10.0.0.2:80,[fd00::1]:80 + 1 more...|90s',
  ],
  ['endpoints', object('none'), 'NAME|ENDPOINTS|AGE', 'none|<none>|90s'],
  [
    'endpointslices.discovery.k8s.io',
    object('web-1', {
      addressType: 'IPv4',
      ports: [{ port: 80 }, { name: 'x' }, {}],
      endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'] }],
    }),
    'NAME|ADDRESSTYPE|PORTS|ENDPOINTS|AGE',
    'web-1|IPv4|80,x,*|10.0.0.1,10.0.0.2|90s',
  ],
  [
    'endpointslices.discovery.k8s.io',
    object('empty', { addressType: 'IPv4' }),
    'NAME|ADDRESSTYPE|PORTS|ENDPOINTS|AGE',
    'empty|IPv4|<unset>|<unset>|90s',
  ],
  [
    'ingresses.networking.k8s.io',
    object('web', {
      spec: { ingressClassName: 'nginx', rules: ['a', 'b', 'c', 'd', 'e'].map((host) => ({ host })), tls: [{}] },
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
    }),
    'NAME|CLASS|HOSTS|ADDRESS|PORTS|AGE',
    'web|nginx|a,b,c + 2 more...|1.2.3.4|80, 443|90s',
  ],
  [
    'ingresses.networking.k8s.io',
    object('any', { spec: {} }),
    'NAME|CLASS|HOSTS|ADDRESS|PORTS|AGE',
    'any|<none>|*||80|90s',
  ],
  [
    'ingressclasses.networking.k8s.io',
    object('nginx', {
      spec: { controller: 'k8s.io/x', parameters: { kind: 'P', apiGroup: 'g.io', name: 'n' } },
    }),
    'NAME|CONTROLLER|PARAMETERS|AGE',
    'nginx|k8s.io/x|P.g.io/n|90s',
  ],
  [
    'networkpolicies.networking.k8s.io',
    object('deny', { spec: { podSelector: {} } }),
    'NAME|POD-SELECTOR|AGE',
    'deny|<none>|90s',
  ],
  [
    'servicecidrs.networking.k8s.io',
    object('kubernetes', { spec: { cidrs: ['10.96.0.0/12', 'fd00::/108'] } }),
    'NAME|CIDRS|AGE',
    'kubernetes|10.96.0.0/12,fd00::/108|90s',
  ],
  [
    'ipaddresses.networking.k8s.io',
    object('10.96.0.1', { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'kubernetes' } } }),
    'NAME|PARENTREF|AGE',
    '10.96.0.1|services/default/kubernetes|90s',
  ],
  [
    'horizontalpodautoscalers.autoscaling',
    object('web', {
      apiVersion: 'autoscaling/v2',
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'web' },
        minReplicas: 1,
        maxReplicas: 5,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 80 } } },
          { type: 'Pods', pods: { target: { averageValue: '10' } } },
          { type: 'External', external: { target: { value: '7' } } },
        ],
      },
      status: { currentReplicas: 2, currentMetrics: [{ resource: { current: { averageUtilization: 40 } } }] },
    }),
    'NAME|REFERENCE|TARGETS|MINPODS|MAXPODS|REPLICAS|AGE',
    'web|Deployment/web|cpu: 40%/80%, <unknown>/10 + 1 more...|1|5|2|90s',
  ],
  [
    'nodes',
    object(
      'n1',
      {
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          nodeInfo: { kubeletVersion: 'v1.36.0', osImage: 'Debian' },
          addresses: [{ type: 'InternalIP', address: '10.1.0.1' }],
        },
      },
      { labels: { 'node-role.kubernetes.io/worker': '', 'kubernetes.io/role': 'edge' } },
    ),
    'NAME|STATUS|ROLES|AGE|VERSION|INTERNAL-IP|EXTERNAL-IP|OS-IMAGE|KERNEL-VERSION|CONTAINER-RUNTIME',
    'n1|Ready,SchedulingDisabled|edge,worker|90s|v1.36.0|10.1.0.1|<none>|Debian|<unknown>|<unknown>',
  ],
  [
    'nodes',
    object('n2', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }),
    'NAME|STATUS|ROLES|AGE|VERSION|INTERNAL-IP|EXTERNAL-IP|OS-IMAGE|KERNEL-VERSION|CONTAINER-RUNTIME',
    'n2|NotReady|<none>|90s||<none>|<none>|<unknown>|<unknown>|<unknown>',
  ],
  ['namespaces', object('default', { status: { phase: 'Active' } }), 'NAME|STATUS|AGE', 'default|Active|90s'],
  ['configmaps', object('c', { data: { a: '1' }, binaryData: { b: 'AA==' } }), 'NAME|DATA|AGE', 'c|2|90s'],
  ['secrets', object('s', { type: 'Opaque', data: { a: 'AA==' } }), 'NAME|TYPE|DATA|AGE', 's|Opaque|1|90s'],
  ['serviceaccounts', object('default'), 'NAME|AGE', 'default|90s'],
  [
    'events',
    object('e', {
      firstTimestamp: ago(600),
      lastTimestamp: ago(30),
      count: 4,
      type: 'Normal',
      reason: 'Pulled',
      message: ' Container image \n',
      involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec.containers{a}' },
      source: { component: 'kubelet', host: 'n1' },
    }),
    'LAST SEEN|TYPE|REASON|OBJECT|SUBOBJECT|SOURCE|MESSAGE|FIRST SEEN|COUNT|NAME',
    '30s|Normal|Pulled|pod/p|spec.containers{a}|kubelet, n1|Container image|10m|4|e',
  ],
  [
    'events',
    object('e', {
      eventTime: ago(50),
      type: 'Warning',
      reason: 'FailedScheduling',
      message: 'no',
      involvedObject: { kind: 'Pod', name: 'p' },
      reportingComponent: 'default-scheduler',
    }),
    'LAST SEEN|TYPE|REASON|OBJECT|SUBOBJECT|SOURCE|MESSAGE|FIRST SEEN|COUNT|NAME',
    '50s|Warning|FailedScheduling|pod/p||default-scheduler|no|50s|1|e',
  ],
  [
    'clusterrolebindings.rbac.authorization.k8s.io',
    object('b', {
      roleRef: { kind: 'ClusterRole', name: 'admin' },
      subjects: [
        { kind: 'User', name: 'ann' },
        { kind: 'User', name: 'bob' },
        { kind: 'Group', name: 'dev' },
        { kind: 'ServiceAccount', namespace: 'ns', name: 'sa' },
      ],
    }),
    'NAME|ROLE|AGE|USERS|GROUPS|SERVICEACCOUNTS',
    'b|ClusterRole/admin|90s|ann, bob|dev|ns/sa',
  ],
  [
    'certificatesigningrequests.certificates.k8s.io',
    object('c', {
      spec: { signerName: 's', username: 'ann', expirationSeconds: 3600 },
      status: { conditions: [{ type: 'Approved' }], certificate: 'AA==' },
    }),
    'NAME|AGE|SIGNERNAME|REQUESTOR|REQUESTEDDURATION|CONDITION',
    'c|90s|s|ann|60m|Approved,Issued',
  ],
  ['leases.coordination.k8s.io', object('n1', { spec: { holderIdentity: 'n1' } }), 'NAME|HOLDER|AGE', 'n1|n1|90s'],
  [
    'resourcequotas',
    object('q', { status: { hard: { pods: '5', 'limits.cpu': '4', 'requests.cpu': '2' }, used: { pods: '1' } } }),
    'NAME|REQUEST|LIMIT|AGE',
    'q|pods: 1/5, requests.cpu: 0/2|limits.cpu: 0/4|90s',
  ],
  [
    'validatingwebhookconfigurations.admissionregistration.k8s.io',
    object('v', { webhooks: [{}, {}] }),
    'NAME|WEBHOOKS|AGE',
    'v|2|90s',
  ],
  [
    'validatingadmissionpolicies.admissionregistration.k8s.io',
    object('v', { spec: { validations: [{}], paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } } }),
    'NAME|VALIDATIONS|PARAMKIND|AGE',
    'v|1|v1/ConfigMap|90s',
  ],
  [
    'validatingadmissionpolicybindings.admissionregistration.k8s.io',
    object('v', { spec: { policyName: 'p', paramRef: { name: 'x' } } }),
    'NAME|POLICYNAME|PARAMREF|AGE',
    'v|p|*/x|90s',
  ],
  [
    'flowschemas.flowcontrol.apiserver.k8s.io',
    object('f', { spec: { priorityLevelConfiguration: { name: 'exempt' }, matchingPrecedence: 1 } }),
    'NAME|PRIORITYLEVEL|MATCHINGPRECEDENCE|DISTINGUISHERMETHOD|AGE|MISSINGPL',
    'f|exempt|1|<none>|90s|?',
  ],
  [
    'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
    object('p', {
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 30,
          limitResponse: { queuing: { queues: 64, handSize: 6, queueLengthLimit: 50 } },
        },
      },
    }),
    'NAME|TYPE|NOMINALCONCURRENCYSHARES|QUEUES|HANDSIZE|QUEUELENGTHLIMIT|AGE',
    'p|Limited|30|64|6|50|90s',
  ],
  [
    'apiservices.apiregistration.k8s.io',
    object('v1.', { spec: {}, status: { conditions: [{ type: 'Available', status: 'True' }] } }),
    'NAME|SERVICE|AVAILABLE|AGE',
    'v1.|Local|True|90s',
  ],
  [
    'persistentvolumes',
    object('pv', {
      spec: {
        capacity: { storage: '5Gi' },
        accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: 'slow',
        claimRef: { namespace: 'ns', name: 'c' },
        volumeMode: 'Filesystem',
      },
      status: { phase: 'Bound' },
    }),
    'NAME|CAPACITY|ACCESS MODES|RECLAIM POLICY|STATUS|CLAIM|STORAGECLASS|VOLUMEATTRIBUTESCLASS|REASON|AGE|VOLUMEMODE',
    'pv|5Gi|RWO,RWX|Retain|Bound|ns/c|slow|<unset>||90s|Filesystem',
  ],
  [
    'persistentvolumeclaims',
    object('c', { spec: { volumeMode: 'Block' }, status: { phase: 'Pending' } }),
    'NAME|STATUS|VOLUME|CAPACITY|ACCESS MODES|STORAGECLASS|VOLUMEATTRIBUTESCLASS|AGE|VOLUMEMODE',
    'c|Pending|||||<unset>|90s|Block',
  ],
  [
    'storageclasses.storage.k8s.io',
    object('fast', { provisioner: 'x' }, { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } }),
    'NAME|PROVISIONER|RECLAIMPOLICY|VOLUMEBINDINGMODE|ALLOWVOLUMEEXPANSION|AGE',
    'fast (default)|x|Delete|Immediate|false|90s',
  ],
  [
    'csidrivers.storage.k8s.io',
    object('d', { spec: { tokenRequests: [{ audience: 'a' }], volumeLifecycleModes: ['Persistent'] } }),
    'NAME|ATTACHREQUIRED|PODINFOONMOUNT|STORAGECAPACITY|TOKENREQUESTS|REQUIRESREPUBLISH|MODES|AGE',
    'd|true|false|false|a|false|Persistent|90s',
  ],
  [
    'volumeattachments.storage.k8s.io',
    object('v', { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'pv' } } }),
    'NAME|ATTACHER|PV|NODE|ATTACHED|AGE',
    'v|a|pv|n|false|90s',
  ],
  [
    'resourceclaims.resource.k8s.io',
    object('r', { status: { allocation: {}, reservedFor: [{}] } }),
    'NAME|STATE|AGE',
    'r|allocated,reserved|90s',
  ],
  ['customresourcedefinitions.apiextensions.k8s.io', object('x.y'), 'NAME|CREATED AT', `x.y|${ago(90)}`],
  ['clusterroles.rbac.authorization.k8s.io', object('view'), 'NAME|CREATED AT', `view|${ago(90)}`],
]

describe('golden tables', () => {
  test.each(golden)('%s: %#', (groupResource, given, header, line) => {
    expect(render(groupResource, [given], { wide: true })).toEqual([header, line])
  })

  test('an object with nothing but a name never breaks a printer', () => {
    for (const [groupResource] of golden) {
      const printer = printerFor(groupResource)
      expect(printer.cells(object('bare'), nowMs)).toHaveLength(printer.columns.length)
    }
  })
})

describe('tableOf', () => {
  const given = object('a', { data: { k: 'v' } })

  test('carries the list’s metadata and the columns', () => {
    const table = tableOf([], printerFor('configmaps'), { nowMs, listMetadata: { resourceVersion: '7' } })
    expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '7' } })
    expect(table['columnDefinitions'][0]).toMatchObject({ name: 'Name', type: 'string', format: 'name', priority: 0 })
    expect(table['rows']).toEqual([])
  })

  test('each row carries metadata by default, the object or nothing on request', () => {
    const row = (includeObject?: 'None' | 'Metadata' | 'Object') =>
      tableOf([given], printerFor('configmaps'), { nowMs, ...(includeObject ? { includeObject } : {}) })['rows'][0]
        .object
    expect(row()).toEqual({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: given.metadata })
    expect(row('Object')).toBe(given)
    expect(row('None')).toBeNull()
  })

  test('later events of a watch leave the columns out', () => {
    expect(tableOf([given], printerFor('configmaps'), { nowMs, withColumns: false })['columnDefinitions']).toBeNull()
  })
})
