// Valid manifests of every built-in kind, in variants: as little as is accepted, and with many optional fields. They are
// what the comparison of good requests creates, changes, lists and deletes.
import type { Any } from '../src/case.ts'

export interface ValidManifest {
  /** `pods full`: names it in reports. */
  readonly name: string
  /** Path of the collection. */
  readonly path: string
  readonly object: Any
  /** A merge patch that changes what may be changed. */
  readonly change?: Any
  /** A merge patch of the status, where there is one. */
  readonly status?: Any
}

export const comparedNamespace = 'compared'

const pathOf = (apiVersion: string, plural: string, namespaced: boolean): string =>
  `${apiVersion.includes('/') ? '/apis/' : '/api/'}${apiVersion}${namespaced ? `/namespaces/${comparedNamespace}` : ''}/${plural}`

function manifest(apiVersion: string, kind: string, plural: string, namespaced: boolean) {
  let count = 0
  return (variant: string, more: Any, changes: { change?: Any; status?: Any } = {}): ValidManifest => {
    count++
    return {
      name: `${plural} ${variant}`,
      path: pathOf(apiVersion, plural, namespaced),
      object: {
        apiVersion,
        kind,
        ...more,
        metadata: { name: `${kind.toLowerCase()}-${count}`, ...more.metadata },
      },
      ...changes,
    }
  }
}

const labels = { app: 'web', tier: 'front' }
const resources = { requests: { cpu: '0.1', memory: '64Mi' }, limits: { cpu: '1000m', memory: '128Mi' } }
const containers = [{ name: 'main', image: 'nginx' }]
const template = { metadata: { labels }, spec: { containers } }
const selector = { matchLabels: { app: 'web' } }

const fullPodSpec = {
  initContainers: [
    { name: 'init', image: 'busybox:1.36', command: ['sh', '-c', 'true'], env: [{ name: 'A', value: '1' }] },
    {
      name: 'sidecar',
      image: 'envoy@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      restartPolicy: 'Always',
      startupProbe: { httpGet: { path: '/ready', port: 'http' } },
      ports: [{ name: 'http', containerPort: 15000 }],
    },
  ],
  containers: [
    {
      name: 'main',
      image: 'registry.example.com/team/web:latest',
      imagePullPolicy: 'Always',
      args: ['--verbose'],
      workingDir: '/srv',
      env: [
        { name: 'PLAIN', value: 'x' },
        { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'CPU', valueFrom: { resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } } },
        { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
        { name: 'CM', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
      ],
      envFrom: [{ configMapRef: { name: 'c' } }, { prefix: 'P_', secretRef: { name: 's', optional: true } }],
      ports: [
        { name: 'web', containerPort: 8080 },
        { name: 'dns', containerPort: 53, protocol: 'UDP' },
      ],
      resources,
      livenessProbe: { httpGet: { path: '/healthz', port: 8080, httpHeaders: [{ name: 'X-A', value: 'b' }] } },
      readinessProbe: { exec: { command: ['true'] }, periodSeconds: 5 },
      startupProbe: { tcpSocket: { port: 'web' }, failureThreshold: 30 },
      lifecycle: { preStop: { sleep: { seconds: 3 } }, postStart: { exec: { command: ['true'] } } },
      volumeMounts: [
        { name: 'data', mountPath: '/data' },
        { name: 'config', mountPath: '/config', readOnly: true, subPath: 'a/b' },
      ],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
        seccompProfile: { type: 'RuntimeDefault' },
        readOnlyRootFilesystem: true,
      },
      terminationMessagePolicy: 'FallbackToLogsOnError',
    },
    {
      name: 'second',
      image: 'busybox',
      livenessProbe: { grpc: { port: 9000 } },
      resources: { limits: { memory: '1Gi' } },
    },
  ],
  volumes: [
    { name: 'data', emptyDir: { medium: 'Memory', sizeLimit: '1024Mi' } },
    { name: 'config', configMap: { name: 'c', items: [{ key: 'k', path: 'p', mode: 256 }] } },
    { name: 'secret', secret: { secretName: 's' } },
    { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    { name: 'host', hostPath: { path: '/var/log' } },
    { name: 'claim', persistentVolumeClaim: { claimName: 'c' } },
    { name: 'empty', emptyDir: {} },
    {
      name: 'projected',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token', audience: 'x' } },
          { configMap: { name: 'c' } },
          { secret: { name: 's' } },
          {
            downwardAPI: {
              items: [{ path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'requests.cpu' } }],
            },
          },
        ],
      },
    },
    {
      name: 'ephemeral',
      ephemeral: {
        volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      },
    },
    { name: 'nfs', nfs: { server: 'nfs.example.com', path: '/x' } },
    { name: 'csi', csi: { driver: 'csi.example.com' } },
    { name: 'image', image: { reference: 'quay.io/x/y:v1' } },
    { name: 'iscsi', iscsi: { targetPortal: '1.2.3.4:3260', iqn: 'iqn.2001-04.com.example:storage', lun: 1 } },
  ],
  nodeSelector: { disk: 'ssd' },
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a', 'b'] }] }],
      },
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 10, preference: { matchExpressions: [{ key: 'gpu', operator: 'Exists' }] } },
      ],
    },
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, podAffinityTerm: { labelSelector: selector, topologyKey: 'kubernetes.io/hostname' } },
      ],
    },
  },
  tolerations: [
    { key: 'dedicated', operator: 'Equal', value: 'web', effect: 'NoSchedule' },
    { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
  ],
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: selector },
  ],
  securityContext: {
    fsGroup: 2000,
    supplementalGroups: [1, 2],
    sysctls: [{ name: 'net.core.somaxconn', value: '1024' }],
  },
  hostname: 'web-0',
  subdomain: 'web',
  priorityClassName: 'system-cluster-critical',
  terminationGracePeriodSeconds: 10,
  dnsPolicy: 'None',
  dnsConfig: { nameservers: ['1.1.1.1'], searches: ['example.com'], options: [{ name: 'ndots', value: '2' }] },
  hostAliases: [{ ip: '10.0.0.1', hostnames: ['a.example.com'] }],
  imagePullSecrets: [{ name: 'pull' }],
  enableServiceLinks: false,
  shareProcessNamespace: true,
  automountServiceAccountToken: false,
  readinessGates: [{ conditionType: 'example.com/ready' }],
  schedulingGates: [{ name: 'example.com/hold' }],
}

const pod = manifest('v1', 'Pod', 'pods', true)
const configMap = manifest('v1', 'ConfigMap', 'configmaps', true)
const secret = manifest('v1', 'Secret', 'secrets', true)
const service = manifest('v1', 'Service', 'services', true)
const serviceAccount = manifest('v1', 'ServiceAccount', 'serviceaccounts', true)
const endpoints = manifest('v1', 'Endpoints', 'endpoints', true)
const event = manifest('v1', 'Event', 'events', true)
const newEvent = manifest('events.k8s.io/v1', 'Event', 'events', true)
const limitRange = manifest('v1', 'LimitRange', 'limitranges', true)
const namespace = manifest('v1', 'Namespace', 'namespaces', false)
const node = manifest('v1', 'Node', 'nodes', false)
const volume = manifest('v1', 'PersistentVolume', 'persistentvolumes', false)
const claim = manifest('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', true)
const podTemplate = manifest('v1', 'PodTemplate', 'podtemplates', true)
const controller = manifest('v1', 'ReplicationController', 'replicationcontrollers', true)
const quota = manifest('v1', 'ResourceQuota', 'resourcequotas', true)
const revision = manifest('apps/v1', 'ControllerRevision', 'controllerrevisions', true)
const daemonSet = manifest('apps/v1', 'DaemonSet', 'daemonsets', true)
const deployment = manifest('apps/v1', 'Deployment', 'deployments', true)
const replicaSet = manifest('apps/v1', 'ReplicaSet', 'replicasets', true)
const statefulSet = manifest('apps/v1', 'StatefulSet', 'statefulsets', true)
const autoscaler1 = manifest('autoscaling/v1', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', true)
const autoscaler2 = manifest('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', true)
const cronJob = manifest('batch/v1', 'CronJob', 'cronjobs', true)
const job = manifest('batch/v1', 'Job', 'jobs', true)
const ingressClass = manifest('networking.k8s.io/v1', 'IngressClass', 'ingressclasses', false)
const ingress = manifest('networking.k8s.io/v1', 'Ingress', 'ingresses', true)
const networkPolicy = manifest('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', true)
const serviceCidr = manifest('networking.k8s.io/v1', 'ServiceCIDR', 'servicecidrs', false)
const ipAddress = manifest('networking.k8s.io/v1', 'IPAddress', 'ipaddresses', false)
const budget = manifest('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', true)
const rbac = 'rbac.authorization.k8s.io/v1'
const clusterRole = manifest(rbac, 'ClusterRole', 'clusterroles', false)
const clusterRoleBinding = manifest(rbac, 'ClusterRoleBinding', 'clusterrolebindings', false)
const role = manifest(rbac, 'Role', 'roles', true)
const roleBinding = manifest(rbac, 'RoleBinding', 'rolebindings', true)
const storage = 'storage.k8s.io/v1'
const csiDriver = manifest(storage, 'CSIDriver', 'csidrivers', false)
const csiNode = manifest(storage, 'CSINode', 'csinodes', false)
const csiCapacity = manifest(storage, 'CSIStorageCapacity', 'csistoragecapacities', true)
const storageClass = manifest(storage, 'StorageClass', 'storageclasses', false)
const attachment = manifest(storage, 'VolumeAttachment', 'volumeattachments', false)
const attributesClass = manifest(storage, 'VolumeAttributesClass', 'volumeattributesclasses', false)
const admission = 'admissionregistration.k8s.io/v1'
const mutatingHook = manifest(admission, 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', false)
const validatingHook = manifest(admission, 'ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', false)
const policy = manifest(admission, 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies', false)
const policyBinding = manifest(
  admission,
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  false,
)
const definition = manifest('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', false)
const priorityClass = manifest('scheduling.k8s.io/v1', 'PriorityClass', 'priorityclasses', false)
const lease = manifest('coordination.k8s.io/v1', 'Lease', 'leases', true)
const runtimeClass = manifest('node.k8s.io/v1', 'RuntimeClass', 'runtimeclasses', false)
const slice = manifest('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', true)
const flowSchema = manifest('flowcontrol.apiserver.k8s.io/v1', 'FlowSchema', 'flowschemas', false)
const priorityLevel = manifest(
  'flowcontrol.apiserver.k8s.io/v1',
  'PriorityLevelConfiguration',
  'prioritylevelconfigurations',
  false,
)
const deviceClass = manifest('resource.k8s.io/v1', 'DeviceClass', 'deviceclasses', false)
const resourceClaim = manifest('resource.k8s.io/v1', 'ResourceClaim', 'resourceclaims', true)
const claimTemplate = manifest('resource.k8s.io/v1', 'ResourceClaimTemplate', 'resourceclaimtemplates', true)
const resourceSlice = manifest('resource.k8s.io/v1', 'ResourceSlice', 'resourceslices', false)

const webhook = {
  name: 'hook.example.com',
  clientConfig: { service: { namespace: 'nowhere', name: 'hook' } },
  rules: [{ apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['gizmos'] }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
}

export const validManifests: readonly ValidManifest[] = [
  pod(
    'least',
    { spec: { containers } },
    {
      change: { spec: { containers: [{ name: 'main', image: 'nginx:2' }] } },
      status: { phase: 'Running', podIP: '10.1.0.1', hostIP: '10.0.0.1' },
    },
  ),
  pod(
    'full',
    { metadata: { labels, annotations: { a: 'b' }, finalizers: ['example.com/x'] }, spec: fullPodSpec },
    { change: { spec: { schedulingGates: [] } } },
  ),
  pod('best effort, host network', {
    spec: {
      hostNetwork: true,
      containers: [{ name: 'a', image: 'x:1', ports: [{ containerPort: 80 }] }],
      nodeName: 'somewhere',
    },
  }),
  pod(
    'guaranteed',
    {
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'a', image: 'x:1', resources: { limits: { cpu: '1', memory: '1Gi' } } }],
      },
    },
    { status: { phase: 'Failed', reason: 'Evicted', message: 'x' } },
  ),
  pod('deprecated', {
    metadata: {
      annotations: {
        'container.apparmor.security.beta.kubernetes.io/main': 'runtime/default',
        'seccomp.security.alpha.kubernetes.io/pod': 'runtime/default',
      },
    },
    spec: {
      serviceAccount: 'default',
      containers: [
        {
          name: 'main',
          image: 'x',
          env: [
            { name: 'A', value: '1' },
            { name: 'A', value: '2' },
          ],
          resources: { requests: { memory: '0.5' } },
        },
        { name: 'b', image: 'x', ports: [{ containerPort: 80 }, { containerPort: 80 }] },
      ],
      nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
      volumes: [
        { name: 'g', gitRepo: { repository: 'x' } },
        { name: 'r', rbd: { monitors: ['a'], image: 'i' } },
      ],
    },
  }),
  configMap('least', {}),
  configMap(
    'full',
    { metadata: { labels, annotations: { x: 'y' } }, data: { a: '1', 'b.c': '' }, binaryData: { d: 'AAEC' } },
    { change: { data: { a: null, n: '2' } } },
  ),
  configMap('immutable', { immutable: true, data: { a: '1' } }),
  secret('least', {}),
  secret('strings', { stringData: { a: 'x', b: 'ü' }, data: { c: 'eA==' } }, { change: { stringData: { a: 'y' } } }),
  secret('tls', { type: 'kubernetes.io/tls', data: { 'tls.crt': '', 'tls.key': '' }, immutable: true }),
  secret('basic auth', { type: 'kubernetes.io/basic-auth', stringData: { username: 'a' } }),
  service('least', { spec: { ports: [{ port: 80 }] } }, { change: { spec: { ports: [{ port: 81 }] } } }),
  service(
    'full',
    {
      metadata: { labels },
      spec: {
        selector: { app: 'web' },
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80, targetPort: 'web', appProtocol: 'kubernetes.io/h2c' },
          { name: 'b', port: 53, protocol: 'UDP', targetPort: 5353 },
        ],
        sessionAffinity: 'ClientIP',
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        trafficDistribution: 'PreferClose',
        publishNotReadyAddresses: true,
        externalIPs: ['192.0.2.7'],
      },
    },
    { change: { spec: { type: 'ClusterIP', externalTrafficPolicy: null, ports: [{ name: 'a', port: 80 }] } } },
  ),
  service('headless', { spec: { clusterIP: 'None', selector: { app: 'web' } } }),
  service('external', { spec: { type: 'ExternalName', externalName: 'example.com' } }),
  service(
    'load balancer',
    {
      spec: {
        type: 'LoadBalancer',
        selector: { a: 'b' },
        ports: [{ port: 443 }],
        loadBalancerSourceRanges: ['10.0.0.0/8'],
        allocateLoadBalancerNodePorts: false,
        loadBalancerClass: 'example.com/lb',
      },
    },
    { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } },
  ),
  service('dual stack asked', { spec: { ipFamilyPolicy: 'PreferDualStack', ports: [{ port: 1 }] } }),
  serviceAccount('least', {}),
  serviceAccount(
    'full',
    {
      metadata: { labels },
      secrets: [{ name: 'a' }],
      imagePullSecrets: [{ name: 'b' }],
      automountServiceAccountToken: false,
    },
    { change: { automountServiceAccountToken: true } },
  ),
  endpoints('full', {
    metadata: { labels },
    subsets: [
      {
        addresses: [{ ip: '10.0.0.2' }, { ip: '10.0.0.1', nodeName: 'n', targetRef: { kind: 'Pod', name: 'x' } }],
        notReadyAddresses: [{ ip: '10.0.0.3' }],
        ports: [{ name: 'a', port: 80 }],
      },
    ],
  }),
  endpoints('least', {}),
  event('least', { involvedObject: { namespace: comparedNamespace } }),
  event('full', {
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Pod',
      name: 'x',
      namespace: comparedNamespace,
      fieldPath: 'spec.containers{a}',
    },
    reason: 'Pulled',
    message: 'done',
    source: { component: 'kubelet', host: 'n' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    count: 3,
    type: 'Warning',
  }),
  newEvent('of events.k8s.io', {
    metadata: { name: 'newer' },
    regarding: { apiVersion: 'v1', kind: 'Pod', name: 'x', namespace: comparedNamespace },
    related: { kind: 'Node', name: 'n' },
    reason: 'Started',
    note: 'x',
    type: 'Normal',
    action: 'Starting',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.com/x',
    reportingInstance: 'i',
  }),
  limitRange('full', {
    spec: {
      limits: [
        {
          type: 'Container',
          max: { cpu: '2' },
          min: { cpu: '100m' },
          default: { cpu: '500m' },
          maxLimitRequestRatio: { cpu: '4' },
        },
        { type: 'Pod', max: { memory: '1Gi' } },
        { type: 'PersistentVolumeClaim', min: { storage: '1Gi' } },
      ],
    },
  }),
  limitRange('least', { spec: { limits: [{ type: 'Container', max: { memory: '64Gi' } }] } }),
  namespace('least', {}),
  namespace(
    'full',
    { metadata: { labels: { team: 'a' } }, spec: { finalizers: ['kubernetes', 'example.com/x'] } },
    { change: { metadata: { labels: { team: 'b' } } } },
  ),
  node('least', {}),
  node(
    'full',
    {
      metadata: { labels: { 'kubernetes.io/os': 'linux', 'node-role.kubernetes.io/worker': '' } },
      spec: {
        podCIDR: '10.244.1.0/24',
        podCIDRs: ['10.244.1.0/24'],
        providerID: 'x://y',
        unschedulable: true,
        taints: [{ key: 'a', effect: 'NoSchedule' }],
      },
      status: { capacity: { cpu: '4', memory: '8Gi' } },
    },
    {
      change: { spec: { unschedulable: null, taints: null } },
      status: {
        capacity: { cpu: '4', pods: '110' },
        addresses: [{ type: 'InternalIP', address: '10.0.0.5' }],
        conditions: [{ type: 'Ready', status: 'True' }],
        nodeInfo: {
          kubeletVersion: 'v1.36.3',
          osImage: 'Debian',
          kernelVersion: '6',
          containerRuntimeVersion: 'containerd://2',
        },
      },
    },
  ),
  volume(
    'least',
    { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } } },
    { change: { spec: { persistentVolumeReclaimPolicy: 'Delete' } }, status: { phase: 'Available' } },
  ),
  volume('full', {
    spec: {
      capacity: { storage: '10Gi' },
      accessModes: ['ReadWriteMany', 'ReadOnlyMany'],
      csi: { driver: 'csi.example.com', volumeHandle: 'h', fsType: 'ext4' },
      storageClassName: 'fast',
      persistentVolumeReclaimPolicy: 'Delete',
      volumeMode: 'Block',
      mountOptions: ['ro'],
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }] },
      },
      claimRef: { namespace: comparedNamespace, name: 'c' },
    },
  }),
  volume('iscsi', {
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      iscsi: { targetPortal: '1.2.3.4:3260', iqn: 'iqn.2001-04.com.example:storage', lun: 0 },
    },
  }),
  claim(
    'least',
    { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    { status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] } },
  ),
  claim('full', {
    metadata: { labels },
    spec: {
      accessModes: ['ReadWriteMany'],
      storageClassName: '',
      volumeMode: 'Block',
      volumeName: 'v',
      selector,
      resources: { requests: { storage: '1.5Gi' }, limits: { storage: '2Gi' } },
    },
  }),
  claim('from a snapshot', {
    spec: {
      accessModes: ['ReadWriteOncePod'],
      dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 's' },
      resources: { requests: { storage: '1000' } },
      volumeAttributesClassName: 'gold',
    },
  }),
  podTemplate('least', { template: { spec: { containers } } }),
  controller(
    'least',
    { spec: { selector: labels, template } },
    { change: { spec: { replicas: 3 } }, status: { replicas: 2, readyReplicas: 1 } },
  ),
  controller('without selector', { spec: { template, replicas: 0, minReadySeconds: 1 } }),
  quota('full', {
    spec: { hard: { pods: '10', 'requests.cpu': '4', 'count/deployments.apps': '2' }, scopes: ['NotTerminating'] },
  }),
  quota(
    'scope selector',
    {
      spec: {
        hard: { pods: '10' },
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] },
      },
    },
    { status: { hard: { pods: '10' }, used: { pods: '1' } } },
  ),
  revision('full', { data: { spec: { a: 1 } }, revision: 3 }),
  daemonSet(
    'least',
    { spec: { selector, template } },
    {
      change: { spec: { minReadySeconds: 2 } },
      status: { currentNumberScheduled: 1, desiredNumberScheduled: 2, numberMisscheduled: 0, numberReady: 1 },
    },
  ),
  daemonSet('full', {
    metadata: { labels },
    spec: {
      selector,
      template,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      revisionHistoryLimit: 3,
    },
  }),
  daemonSet('on delete', { spec: { selector, template, updateStrategy: { type: 'OnDelete' } } }),
  deployment(
    'least',
    { spec: { selector, template } },
    {
      change: { spec: { replicas: 3, paused: true } },
      status: { replicas: 3, updatedReplicas: 3, readyReplicas: 2, availableReplicas: 2, observedGeneration: 2 },
    },
  ),
  deployment('full', {
    metadata: { labels },
    spec: {
      replicas: 0,
      selector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
      template: {
        metadata: { labels, creationTimestamp: null },
        spec: { ...fullPodSpec, schedulingGates: undefined, priorityClassName: undefined },
      },
      strategy: { rollingUpdate: { maxSurge: '30%', maxUnavailable: 1 } },
      minReadySeconds: 5,
      revisionHistoryLimit: 0,
      progressDeadlineSeconds: 60,
    },
  }),
  deployment('recreate', { spec: { strategy: { type: 'Recreate' }, selector, template } }),
  replicaSet(
    'least',
    { spec: { selector, template } },
    { change: { spec: { replicas: 2 } }, status: { replicas: 2, readyReplicas: 1 } },
  ),
  replicaSet('without template', {
    metadata: { labels },
    spec: { replicas: 0, selector: { matchLabels: labels }, template, minReadySeconds: 1 },
  }),
  statefulSet(
    'least',
    { spec: { serviceName: 'web', selector, template } },
    { change: { spec: { replicas: 2 } }, status: { replicas: 1, readyReplicas: 1 } },
  ),
  statefulSet('full', {
    spec: {
      replicas: 3,
      selector,
      template,
      podManagementPolicy: 'Parallel',
      updateStrategy: { rollingUpdate: { partition: 1 } },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' },
      ordinals: { start: 1 },
      minReadySeconds: 3,
    },
  }),
  autoscaler1('least', {
    spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
  }),
  autoscaler1('full', {
    spec: {
      minReplicas: 2,
      maxReplicas: 5,
      targetCPUUtilizationPercentage: 50,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    },
  }),
  autoscaler2(
    'v2 least',
    {
      metadata: { name: 'two-least' },
      spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    },
    { status: { currentReplicas: 1, desiredReplicas: 2, currentMetrics: [] } },
  ),
  autoscaler2('v2 full', {
    metadata: { name: 'two-full' },
    spec: {
      minReplicas: 1,
      maxReplicas: 5,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } },
        { type: 'Pods', pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '1k' } } },
        {
          type: 'Object',
          object: {
            metric: { name: 'x' },
            describedObject: { kind: 'Service', name: 's' },
            target: { type: 'Value', value: '10' },
          },
        },
      ],
      behavior: {
        scaleDown: { stabilizationWindowSeconds: 60, policies: [{ type: 'Pods', value: 1, periodSeconds: 30 }] },
      },
    },
  }),
  cronJob(
    'least',
    {
      spec: {
        schedule: '*/5 * * * *',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers } } } },
      },
    },
    { change: { spec: { suspend: true } }, status: { lastScheduleTime: '2026-01-01T00:00:00Z' } },
  ),
  cronJob('full', {
    metadata: { labels },
    spec: {
      schedule: '@hourly',
      timeZone: 'Europe/Berlin',
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 30,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 0,
      jobTemplate: {
        metadata: { labels, creationTimestamp: null },
        spec: { backoffLimit: 1, template: { metadata: { labels }, spec: { restartPolicy: 'OnFailure', containers } } },
      },
    },
  }),
  job(
    'least',
    { spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers } } } },
    { change: { spec: { parallelism: 2 } } },
  ),
  job('full', {
    metadata: { labels },
    spec: {
      parallelism: 2,
      completions: 4,
      completionMode: 'Indexed',
      backoffLimitPerIndex: 1,
      maxFailedIndexes: 2,
      activeDeadlineSeconds: 100,
      ttlSecondsAfterFinished: 10,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          { action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } },
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
        ],
      },
      successPolicy: { rules: [{ succeededIndexes: '0-1' }] },
      template: { metadata: { labels }, spec: { restartPolicy: 'Never', containers } },
    },
  }),
  job('manual selector', {
    spec: {
      manualSelector: true,
      selector: { matchLabels: { j: 'x' } },
      template: { metadata: { labels: { j: 'x' } }, spec: { restartPolicy: 'OnFailure', containers } },
    },
  }),
  ingressClass('full', {
    metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'false' } },
    spec: { controller: 'example.com/c', parameters: { apiGroup: 'example.com', kind: 'P', name: 'x' } },
  }),
  ingressClass('least', { spec: { controller: 'example.com/c' } }),
  ingress(
    'least',
    { spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } } },
    { status: { loadBalancer: { ingress: [{ hostname: 'a.example.com' }] } } },
  ),
  ingress('full', {
    metadata: { annotations: { 'kubernetes.io/ingress.class': 'nginx' } },
    spec: {
      tls: [{ hosts: ['a.example.com'], secretName: 't' }],
      rules: [
        {
          host: 'a.example.com',
          http: {
            paths: [
              { path: '/x', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'http' } } } },
              {
                pathType: 'ImplementationSpecific',
                backend: { resource: { apiGroup: 'example.com', kind: 'B', name: 'b' } },
              },
            ],
          },
        },
        { host: '*.example.com' },
      ],
    },
  }),
  networkPolicy('least', { spec: { podSelector: {} } }),
  networkPolicy('full', {
    spec: {
      podSelector: selector,
      ingress: [
        {
          from: [
            { podSelector: {} },
            { namespaceSelector: selector },
            { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
          ],
          ports: [{ port: 80 }, { port: 'web', protocol: 'UDP' }, { port: 100, endPort: 200 }],
        },
      ],
      egress: [{}],
    },
  }),
  serviceCidr('full', { spec: { cidrs: ['192.168.0.0/24'] } }),
  ipAddress('full', {
    metadata: { name: '192.168.0.7' },
    spec: { parentRef: { resource: 'services', namespace: 'x', name: 'y' } },
  }),
  budget(
    'least',
    { spec: { selector, minAvailable: 1 } },
    {
      change: { spec: { minAvailable: '50%' } },
      status: { currentHealthy: 1, desiredHealthy: 1, expectedPods: 2, disruptionsAllowed: 1 },
    },
  ),
  budget('full', { spec: { selector: {}, maxUnavailable: '30%', unhealthyPodEvictionPolicy: 'AlwaysAllow' } }),
  clusterRole('least', {}),
  clusterRole(
    'full',
    {
      metadata: { labels },
      rules: [
        { apiGroups: [''], resources: ['pods'], verbs: ['get'], resourceNames: ['x'] },
        { nonResourceURLs: ['/healthz'], verbs: ['get'] },
      ],
    },
    { change: { rules: [] } },
  ),
  clusterRole('aggregated', { aggregationRule: { clusterRoleSelectors: [selector] }, rules: null }),
  clusterRoleBinding('full', {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [
      { kind: 'User', name: 'a' },
      { kind: 'ServiceAccount', name: 's', namespace: 'x' },
      { kind: 'Group', name: 'g' },
    ],
  }),
  clusterRoleBinding('least', { roleRef: { kind: 'ClusterRole', name: 'view' } }),
  role('full', { rules: [{ apiGroups: ['apps', ''], resources: ['*'], verbs: ['*'] }] }),
  role('least', {}),
  roleBinding('full', {
    roleRef: { kind: 'Role', name: 'r' },
    subjects: [
      { kind: 'User', name: 'a' },
      { kind: 'ServiceAccount', name: 's', namespace: 'x' },
    ],
  }),
  roleBinding('least', { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' } }),
  csiDriver('least', { metadata: { name: 'csi.example.com' }, spec: {} }),
  csiDriver('full', {
    metadata: { name: 'csi2.example.com' },
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ['Ephemeral'],
      storageCapacity: true,
      fsGroupPolicy: 'File',
      tokenRequests: [{ audience: 'a' }],
      requiresRepublish: true,
      seLinuxMount: true,
      nodeAllocatableUpdatePeriodSeconds: 60,
    },
  }),
  csiNode('full', {
    spec: { drivers: [{ name: 'csi.example.com', nodeID: 'n', topologyKeys: ['zone'], allocatable: { count: 5 } }] },
  }),
  csiCapacity('full', { storageClassName: 'fast', nodeTopology: selector, capacity: '10Gi', maximumVolumeSize: '1Gi' }),
  storageClass('least', { provisioner: 'example.com/p' }),
  storageClass('full', {
    metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'example.com/p',
    parameters: { a: 'b' },
    reclaimPolicy: 'Retain',
    allowVolumeExpansion: true,
    mountOptions: ['x'],
    volumeBindingMode: 'WaitForFirstConsumer',
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a'] }] }],
  }),
  attachment(
    'full',
    { spec: { attacher: 'csi.example.com', nodeName: 'n', source: { persistentVolumeName: 'v' } } },
    { status: { attached: true } },
  ),
  attributesClass('full', { driverName: 'csi.example.com', parameters: { iops: '100' } }),
  mutatingHook('full', { webhooks: [webhook] }),
  mutatingHook('more', {
    webhooks: [
      {
        ...webhook,
        failurePolicy: 'Ignore',
        matchPolicy: 'Exact',
        timeoutSeconds: 5,
        reinvocationPolicy: 'IfNeeded',
        namespaceSelector: selector,
        objectSelector: selector,
        clientConfig: { url: 'https://hook.example.com/x' },
      },
    ],
  }),
  validatingHook('full', { webhooks: [webhook] }),
  validatingHook('least', {}),
  policy('full', {
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['gizmos'] },
        ],
      },
      validations: [{ expression: 'object.spec.replicas <= 5' }],
      failurePolicy: 'Ignore',
    },
  }),
  policyBinding('full', { spec: { policyName: 'p', validationActions: ['Deny'] } }),
  definition('full', {
    metadata: { name: 'gizmos.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'gizmos', kind: 'Gizmo' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
            },
          },
        },
      ],
    },
  }),
  priorityClass('full', { value: 100, globalDefault: false, description: 'x', preemptionPolicy: 'Never' }),
  priorityClass('least', { value: -1 }),
  lease(
    'full',
    {
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        acquireTime: '2026-01-01T00:00:00.000000Z',
        renewTime: '2026-01-01T00:00:00.123456Z',
        leaseTransitions: 1,
      },
    },
    { change: { spec: { holderIdentity: 'b' } } },
  ),
  lease('least', {}),
  runtimeClass('full', {
    handler: 'runc',
    overhead: { podFixed: { cpu: '10m' } },
    scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'x', operator: 'Exists' }] },
  }),
  runtimeClass('least', { handler: 'runc' }),
  slice('full', {
    metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.0.0.1'],
        conditions: { ready: true },
        hostname: 'a',
        nodeName: 'n',
        zone: 'z',
        targetRef: { kind: 'Pod', name: 'x' },
      },
    ],
    ports: [{ name: 'a', port: 80 }, {}],
  }),
  slice('least', { addressType: 'IPv6', endpoints: [] }),
  flowSchema('full', {
    spec: {
      priorityLevelConfiguration: { name: 'global-default' },
      matchingPrecedence: 100,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [{ kind: 'Group', group: { name: 'g' } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
        },
      ],
    },
  }),
  flowSchema('least', { spec: { priorityLevelConfiguration: { name: 'global-default' } } }),
  priorityLevel('full', {
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 5,
        limitResponse: { type: 'Queue', queuing: { queues: 8, handSize: 4, queueLengthLimit: 10 } },
      },
    },
  }),
  priorityLevel('least', { spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } }),
  deviceClass('full', { spec: { selectors: [{ cel: { expression: 'device.driver == "x.example.com"' } }] } }),
  deviceClass('least', { spec: {} }),
  resourceClaim('full', { spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'x' } }] } } }),
  claimTemplate('full', {
    metadata: { labels },
    spec: {
      metadata: { labels },
      spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'x', allocationMode: 'All' } }] } },
    },
  }),
  resourceSlice('full', {
    spec: {
      driver: 'x.example.com',
      nodeName: 'n',
      pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
      devices: [{ name: 'd', attributes: { a: { string: 'x' } }, capacity: { mem: { value: '1Gi' } } }],
    },
  }),
]
