// The table of what is not there: see feature.ts. In the order of the README: kinds, fields, requests, nodes.
import type { Feature, IgnoredField, StoredOnly } from './feature.ts'

/** A kind that nothing acts on; `tail` says what that means for whoever relies on it. */
const stored = (docs: string, resource: string, tail = ''): StoredOnly => ({
  id: resource,
  state: 'stored only',
  resource,
  docs,
  sentence: `nothing acts on ${docs} yet${tail}`,
})

const pod = (path: string, is?: readonly unknown[]): IgnoredField => ({ of: 'podSpec', path, ...(is ? { is } : {}) })

const containers = ['containers[]', 'initContainers[]']
const each = (path: string, is?: readonly unknown[]): IgnoredField[] => containers.map((at) => pod(`${at}.${path}`, is))

/** Volumes that a node of processes refuses with FailedMount; claims have a row of their own. */
const unmountable = [
  ...['awsElasticBlockStore', 'azureDisk', 'azureFile', 'cephfs', 'cinder', 'csi', 'fc', 'flexVolume', 'flocker'],
  ...['gcePersistentDisk', 'gitRepo', 'glusterfs', 'image', 'iscsi', 'nfs', 'photonPersistentDisk', 'portworxVolume'],
  ...['quobyte', 'rbd', 'scaleIO', 'storageos', 'vsphereVolume'],
]

export const features: readonly Feature[] = [
  stored('VolumeAttributesClasses', 'volumeattributesclasses.storage.k8s.io'),
  stored('VolumeAttachments', 'volumeattachments.storage.k8s.io', ': this one attaches nothing'),
  stored('CSIDrivers', 'csidrivers.storage.k8s.io'),
  stored('CSINodes', 'csinodes.storage.k8s.io'),
  stored('CSIStorageCapacities', 'csistoragecapacities.storage.k8s.io'),
  stored('DeviceClasses', 'deviceclasses.resource.k8s.io'),
  stored('ResourceClaims', 'resourceclaims.resource.k8s.io', ': it is never allocated'),
  stored('ResourceSlices', 'resourceslices.resource.k8s.io'),

  {
    id: 'ingress-resources',
    state: 'ignored',
    docs: 'backends of Ingresses that are no Services',
    fields: [
      { of: 'ingresses.networking.k8s.io', path: 'spec.defaultBackend.resource' },
      { of: 'ingresses.networking.k8s.io', path: 'spec.rules[].http.paths[].backend.resource' },
    ],
    sentence: 'Ingresses lead to Services alone: requests for this backend get 404',
  },
  {
    id: 'ingress-off',
    state: 'by design',
    docs: 'Ingresses of a cluster that was started without --ingress, and of other classes than its own',
    sentence: 'an Ingress gets an address and routes requests where something serves its class: shiplog up --ingress does',
  },
  {
    id: 'service-cidrs',
    state: 'ignored',
    docs: 'ServiceCIDRs beside the one that the cluster starts with, and IPAddresses that are made by hand',
    fields: [
      { of: 'servicecidrs.networking.k8s.io', path: 'spec.cidrs' },
      { of: 'ipaddresses.networking.k8s.io', path: 'spec.parentRef' },
    ],
    sentence: 'addresses of Services come from --service-cidr alone yet: this one gives and reserves none',
  },
  {
    id: 'provisioning',
    state: 'ignored',
    docs: 'provisioning and expansion of volumes (claims get volumes that exist)',
    fields: [
      { of: 'storageclasses.storage.k8s.io', path: 'provisioner' },
      { of: 'storageclasses.storage.k8s.io', path: 'allowVolumeExpansion', is: [true] },
    ],
    sentence:
      'nothing makes or expands volumes of this class yet: its claims wait until somebody makes a volume for them',
  },
  {
    id: 'block-volumes',
    state: 'ignored',
    docs: 'block devices in containers',
    fields: each('volumeDevices'),
    sentence: 'no container gets a block device yet: the volume is bound, and nothing more',
  },
  {
    id: 'scheduler-plugins',
    state: 'by design',
    docs: "the scheduler's plugin DynamicResources, and extenders that bind or preempt",
    sentence:
      'the other default plugins of kube-scheduler decide: resource claims do not count; a configuration with extenders that bind or preempt is refused',
  },
  {
    id: 'pod-resource-claims',
    state: 'ignored',
    docs: 'resource claims of pods (DRA)',
    fields: [pod('resourceClaims'), ...each('resources.claims')],
    sentence: 'nothing allocates resourceClaims yet: the pod runs without its devices',
  },
  {
    id: 'pod-runtime-class',
    state: 'ignored',
    docs: 'the handler of a RuntimeClass on nodes of processes (its overhead, node selector and tolerations count)',
    onProcessNodes: true,
    fields: [pod('runtimeClassName')],
    sentence:
      'nodes of processes have one runtime, whatever the RuntimeClass says; overhead, node selector and tolerations are taken from the class',
  },
  {
    id: 'container-restart-rules',
    state: 'ignored',
    docs: 'restart rules of containers',
    fields: [...each('restartPolicyRules'), pod('containers[].restartPolicy')],
    sentence: "restart rules of single containers are ignored yet: the pod's restartPolicy decides",
  },
  {
    id: 'pod-os',
    state: 'ignored',
    docs: "a pod's operating system",
    fields: [pod('os.name', ['windows'])],
    sentence: 'os.name is ignored yet: the pod runs on a Linux node',
  },
  {
    id: 'pod-resize',
    state: 'ignored',
    docs: 'resizing of running containers but on nodes of containers (the scheduler counts the new requests)',
    resource: 'pods',
    subresource: 'resize',
    sentence: 'the scheduler counts the new requests; only nodes of containers resize what runs',
  },
  {
    id: 'process-volumes',
    state: 'ignored',
    docs: 'volumes of a network or a CSI driver on nodes of processes (the pod waits with FailedMount)',
    onProcessNodes: true,
    fields: unmountable.map((kind) => pod(`volumes[].${kind}`)),
    sentence:
      'nodes of processes mount emptyDir, configMap, secret, downwardAPI, projected and hostPath: the pod will wait',
  },
  {
    id: 'process-security',
    state: 'ignored',
    docs: 'all of a securityContext but runAsUser, runAsGroup and runAsNonRoot on nodes of processes',
    onProcessNodes: true,
    fields: [
      ...['fsGroup', 'supplementalGroups', 'sysctls', 'seLinuxOptions', 'seccompProfile', 'appArmorProfile'].map(
        (name) => pod(`securityContext.${name}`),
      ),
      ...['capabilities', 'privileged', 'readOnlyRootFilesystem', 'seLinuxOptions', 'seccompProfile'].flatMap((name) =>
        each(`securityContext.${name}`),
      ),
      ...['appArmorProfile', 'procMount'].flatMap((name) => each(`securityContext.${name}`)),
      ...each('securityContext.allowPrivilegeEscalation', [false]),
      pod('hostUsers', [false]),
    ],
    sentence:
      'nodes of processes apply runAsUser, runAsGroup and runAsNonRoot of a securityContext, and nothing else of it',
  },
  {
    id: 'process-limits',
    state: 'ignored',
    docs: 'limits of resources on nodes of processes',
    onProcessNodes: true,
    fields: [...each('resources.limits'), pod('resources.limits')],
    sentence: 'nothing enforces limits of resources on nodes of processes',
  },
  {
    id: 'process-network',
    state: 'ignored',
    docs: 'names and namespaces of their own for pods on nodes of processes',
    onProcessNodes: true,
    fields: [
      pod('hostAliases'),
      pod('dnsConfig'),
      pod('hostnameOverride'),
      pod('setHostnameAsFQDN'),
      pod('shareProcessNamespace'),
      ...each('volumeMounts[].mountPropagation', ['Bidirectional', 'HostToContainer']),
    ],
    sentence:
      'nodes of processes give pods no namespaces of their own: host names, DNS and mount propagation change nothing',
  },

  {
    id: 'exec',
    state: 'refused',
    docs: 'kubectl exec, attach, port-forward, cp and proxy to pods on simulated nodes, where nothing runs',
    sentence: 'nothing runs on simulated nodes that one could connect to',
  },
  {
    id: 'simulated-nodes',
    state: 'by design',
    docs: 'containers on simulated nodes exist only as state',
    sentence:
      'nothing is pulled, run, probed, mounted or reachable on a simulated node: images, commands, probes, lifecycle hooks, volumes, securityContext and addresses change only what is shown',
  },
  {
    id: 'service-traffic',
    state: 'by design',
    docs: 'addresses of Services lead nowhere, and NetworkPolicies keep nothing away, but on nodes of containers',
    sentence:
      'only nodes of containers have a proxy: elsewhere a Service has addresses, ports and endpoints, and no traffic flows, nor is any kept away',
  },
  {
    id: 'load-balancers',
    state: 'by design',
    docs: 'Services of type LoadBalancer have no address without a pool (--load-balancer-pool), or a cloud controller',
    sentence: 'addresses come from the pool that the cluster was started with; without one EXTERNAL-IP stays <pending>',
  },
  {
    id: 'container-nodes',
    state: 'by design',
    docs:
      'on nodes of containers: volumes of claims and CSI drivers, device plugins, graceful shutdown of a node, AppArmor',
    sentence: 'pods run in containerd; docs/containers.md tells what is not there yet',
  },
  {
    id: 'process-nodes',
    state: 'by design',
    docs: 'containers on a node of processes are processes of this machine',
    sentence: 'no images, no isolation, no network of their own: docs/process-nodes.md tells the rest',
  },
]
