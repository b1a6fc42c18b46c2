// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface AWSElasticBlockStoreVolumeSource {
  volumeID: string
  fsType?: string
  partition?: number
  readOnly?: boolean
}

export interface Affinity {
  nodeAffinity?: NodeAffinity
  podAffinity?: PodAffinity
  podAntiAffinity?: PodAntiAffinity
}

export interface AppArmorProfile {
  type: 'Localhost' | 'RuntimeDefault' | 'Unconfined'
  localhostProfile?: string
}

export interface AttachedVolume {
  name: string
  devicePath: string
}

export interface AzureDiskVolumeSource {
  diskName: string
  diskURI: string
  cachingMode?: 'None' | 'ReadOnly' | 'ReadWrite'
  fsType?: string
  readOnly?: boolean
  kind?: 'Dedicated' | 'Managed' | 'Shared'
}

export interface AzureFilePersistentVolumeSource {
  secretName: string
  shareName: string
  readOnly?: boolean
  secretNamespace?: string
}

export interface AzureFileVolumeSource {
  secretName: string
  shareName: string
  readOnly?: boolean
}

export interface Binding {
  kind: 'Binding'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  target: ObjectReference
}

export interface CSIPersistentVolumeSource {
  driver: string
  volumeHandle: string
  readOnly?: boolean
  fsType?: string
  volumeAttributes?: Record<string, string>
  controllerPublishSecretRef?: SecretReference
  nodeStageSecretRef?: SecretReference
  nodePublishSecretRef?: SecretReference
  controllerExpandSecretRef?: SecretReference
  nodeExpandSecretRef?: SecretReference
}

export interface CSIVolumeSource {
  driver: string
  readOnly?: boolean
  fsType?: string
  volumeAttributes?: Record<string, string>
  nodePublishSecretRef?: LocalObjectReference
}

export interface Capabilities {
  add?: string[]
  drop?: string[]
}

export interface CephFSPersistentVolumeSource {
  monitors: string[] | null
  path?: string
  user?: string
  secretFile?: string
  secretRef?: SecretReference
  readOnly?: boolean
}

export interface CephFSVolumeSource {
  monitors: string[] | null
  path?: string
  user?: string
  secretFile?: string
  secretRef?: LocalObjectReference
  readOnly?: boolean
}

export interface CinderPersistentVolumeSource {
  volumeID: string
  fsType?: string
  readOnly?: boolean
  secretRef?: SecretReference
}

export interface CinderVolumeSource {
  volumeID: string
  fsType?: string
  readOnly?: boolean
  secretRef?: LocalObjectReference
}

export interface ClientIPConfig {
  timeoutSeconds?: number
}

export interface ClusterTrustBundleProjection {
  name?: string
  signerName?: string
  labelSelector?: metaV1.LabelSelector
  optional?: boolean
  path: string
}

export interface ComponentCondition {
  type: string
  status: string
  message?: string
  error?: string
}

export interface ComponentStatus {
  kind: 'ComponentStatus'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  conditions?: ComponentCondition[]
}

export interface ComponentStatusList {
  kind: 'ComponentStatusList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: ComponentStatus[] | null
}

export interface ConfigMap {
  kind: 'ConfigMap'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  immutable?: boolean
  data?: Record<string, string>
  binaryData?: Record<string, string>
}

export interface ConfigMapEnvSource {
  name?: string
  optional?: boolean
}

export interface ConfigMapKeySelector {
  name?: string
  key: string
  optional?: boolean
}

export interface ConfigMapList {
  kind: 'ConfigMapList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: ConfigMap[] | null
}

export interface ConfigMapNodeConfigSource {
  namespace: string
  name: string
  uid?: string
  resourceVersion?: string
  kubeletConfigKey: string
}

export interface ConfigMapProjection {
  name?: string
  items?: KeyToPath[]
  optional?: boolean
}

export interface ConfigMapVolumeSource {
  name?: string
  items?: KeyToPath[]
  defaultMode?: number
  optional?: boolean
}

export interface Container {
  name: string
  image?: string
  command?: string[]
  args?: string[]
  workingDir?: string
  ports?: ContainerPort[]
  envFrom?: EnvFromSource[]
  env?: EnvVar[]
  resources: ResourceRequirements
  resizePolicy?: ContainerResizePolicy[]
  restartPolicy?: string
  restartPolicyRules?: ContainerRestartRule[]
  volumeMounts?: VolumeMount[]
  volumeDevices?: VolumeDevice[]
  livenessProbe?: Probe
  readinessProbe?: Probe
  startupProbe?: Probe
  lifecycle?: Lifecycle
  terminationMessagePath?: string
  terminationMessagePolicy?: 'FallbackToLogsOnError' | 'File'
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  securityContext?: SecurityContext
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
}

export interface ContainerExtendedResourceRequest {
  containerName: string
  resourceName: string
  requestName: string
}

export interface ContainerImage {
  names?: string[] | null
  sizeBytes?: number
}

export interface ContainerPort {
  name?: string
  hostPort?: number
  containerPort: number
  protocol?: 'SCTP' | 'TCP' | 'UDP'
  hostIP?: string
}

export interface ContainerResizePolicy {
  resourceName: string
  restartPolicy: string
}

export interface ContainerRestartRule {
  action: string
  exitCodes?: ContainerRestartRuleOnExitCodes
}

export interface ContainerRestartRuleOnExitCodes {
  operator: string
  values?: number[]
}

export interface ContainerState {
  waiting?: ContainerStateWaiting
  running?: ContainerStateRunning
  terminated?: ContainerStateTerminated
}

export interface ContainerStateRunning {
  startedAt?: string
}

export interface ContainerStateTerminated {
  exitCode: number
  signal?: number
  reason?: string
  message?: string
  startedAt?: string
  finishedAt?: string
  containerID?: string
}

export interface ContainerStateWaiting {
  reason?: string
  message?: string
}

export interface ContainerStatus {
  name: string
  state: ContainerState
  lastState: ContainerState
  ready: boolean
  restartCount: number
  image: string
  imageID: string
  containerID?: string
  started?: boolean
  allocatedResources?: Record<string, string>
  resources?: ResourceRequirements
  volumeMounts?: VolumeMountStatus[]
  user?: ContainerUser
  allocatedResourcesStatus?: ResourceStatus[]
  stopSignal?: 'SIGABRT' | 'SIGALRM' | 'SIGBUS' | 'SIGCHLD' | 'SIGCLD' | 'SIGCONT' | 'SIGFPE' | 'SIGHUP' | 'SIGILL' | 'SIGINT' | 'SIGIO' | 'SIGIOT' | 'SIGKILL' | 'SIGPIPE' | 'SIGPOLL' | 'SIGPROF' | 'SIGPWR' | 'SIGQUIT' | 'SIGRTMAX' | 'SIGRTMAX-1' | 'SIGRTMAX-10' | 'SIGRTMAX-11' | 'SIGRTMAX-12' | 'SIGRTMAX-13' | 'SIGRTMAX-14' | 'SIGRTMAX-2' | 'SIGRTMAX-3' | 'SIGRTMAX-4' | 'SIGRTMAX-5' | 'SIGRTMAX-6' | 'SIGRTMAX-7' | 'SIGRTMAX-8' | 'SIGRTMAX-9' | 'SIGRTMIN' | 'SIGRTMIN+1' | 'SIGRTMIN+10' | 'SIGRTMIN+11' | 'SIGRTMIN+12' | 'SIGRTMIN+13' | 'SIGRTMIN+14' | 'SIGRTMIN+15' | 'SIGRTMIN+2' | 'SIGRTMIN+3' | 'SIGRTMIN+4' | 'SIGRTMIN+5' | 'SIGRTMIN+6' | 'SIGRTMIN+7' | 'SIGRTMIN+8' | 'SIGRTMIN+9' | 'SIGSEGV' | 'SIGSTKFLT' | 'SIGSTOP' | 'SIGSYS' | 'SIGTERM' | 'SIGTRAP' | 'SIGTSTP' | 'SIGTTIN' | 'SIGTTOU' | 'SIGURG' | 'SIGUSR1' | 'SIGUSR2' | 'SIGVTALRM' | 'SIGWINCH' | 'SIGXCPU' | 'SIGXFSZ'
}

export interface ContainerUser {
  linux?: LinuxContainerUser
}

export interface DaemonEndpoint {
  Port: number
}

export interface DownwardAPIProjection {
  items?: DownwardAPIVolumeFile[]
}

export interface DownwardAPIVolumeFile {
  path: string
  fieldRef?: ObjectFieldSelector
  resourceFieldRef?: ResourceFieldSelector
  mode?: number
}

export interface DownwardAPIVolumeSource {
  items?: DownwardAPIVolumeFile[]
  defaultMode?: number
}

export interface EmptyDirVolumeSource {
  medium?: string
  sizeLimit?: string
}

export interface EndpointAddress {
  ip: string
  hostname?: string
  nodeName?: string
  targetRef?: ObjectReference
}

export interface EndpointPort {
  name?: string
  port: number
  protocol?: 'SCTP' | 'TCP' | 'UDP'
  appProtocol?: string
}

export interface EndpointSubset {
  addresses?: EndpointAddress[]
  notReadyAddresses?: EndpointAddress[]
  ports?: EndpointPort[]
}

export interface Endpoints {
  kind: 'Endpoints'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  subsets?: EndpointSubset[]
}

export interface EndpointsList {
  kind: 'EndpointsList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: Endpoints[] | null
}

export interface EnvFromSource {
  prefix?: string
  configMapRef?: ConfigMapEnvSource
  secretRef?: SecretEnvSource
}

export interface EnvVar {
  name: string
  value?: string
  valueFrom?: EnvVarSource
}

export interface EnvVarSource {
  fieldRef?: ObjectFieldSelector
  resourceFieldRef?: ResourceFieldSelector
  configMapKeyRef?: ConfigMapKeySelector
  secretKeyRef?: SecretKeySelector
  fileKeyRef?: FileKeySelector
}

export interface EphemeralContainer {
  name: string
  image?: string
  command?: string[]
  args?: string[]
  workingDir?: string
  ports?: ContainerPort[]
  envFrom?: EnvFromSource[]
  env?: EnvVar[]
  resources: ResourceRequirements
  resizePolicy?: ContainerResizePolicy[]
  restartPolicy?: string
  restartPolicyRules?: ContainerRestartRule[]
  volumeMounts?: VolumeMount[]
  volumeDevices?: VolumeDevice[]
  livenessProbe?: Probe
  readinessProbe?: Probe
  startupProbe?: Probe
  lifecycle?: Lifecycle
  terminationMessagePath?: string
  terminationMessagePolicy?: 'FallbackToLogsOnError' | 'File'
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  securityContext?: SecurityContext
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
  targetContainerName?: string
}

export interface EphemeralVolumeSource {
  volumeClaimTemplate?: PersistentVolumeClaimTemplate
}

export interface Event {
  kind: 'Event'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  involvedObject: ObjectReference
  reason?: string
  message?: string
  source: EventSource
  firstTimestamp?: string
  lastTimestamp?: string
  count?: number
  type?: string
  eventTime?: string
  series?: EventSeries
  action?: string
  related?: ObjectReference
  reportingComponent?: string
  reportingInstance?: string
}

export interface EventList {
  kind: 'EventList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: Event[] | null
}

export interface EventSeries {
  count?: number
  lastObservedTime?: string
}

export interface EventSource {
  component?: string
  host?: string
}

export interface ExecAction {
  command?: string[]
}

export interface FCVolumeSource {
  targetWWNs?: string[]
  lun?: number
  fsType?: string
  readOnly?: boolean
  wwids?: string[]
}

export interface FileKeySelector {
  volumeName: string
  path: string
  key: string
  optional?: boolean
}

export interface FlexPersistentVolumeSource {
  driver: string
  fsType?: string
  secretRef?: SecretReference
  readOnly?: boolean
  options?: Record<string, string>
}

export interface FlexVolumeSource {
  driver: string
  fsType?: string
  secretRef?: LocalObjectReference
  readOnly?: boolean
  options?: Record<string, string>
}

export interface FlockerVolumeSource {
  datasetName?: string
  datasetUUID?: string
}

export interface GCEPersistentDiskVolumeSource {
  pdName: string
  fsType?: string
  partition?: number
  readOnly?: boolean
}

export interface GRPCAction {
  port: number
  service?: string
}

export interface GitRepoVolumeSource {
  repository: string
  revision?: string
  directory?: string
}

export interface GlusterfsPersistentVolumeSource {
  endpoints: string
  path: string
  readOnly?: boolean
  endpointsNamespace?: string
}

export interface GlusterfsVolumeSource {
  endpoints: string
  path: string
  readOnly?: boolean
}

export interface HTTPGetAction {
  path?: string
  port: number | string
  host?: string
  scheme?: 'HTTP' | 'HTTPS'
  httpHeaders?: HTTPHeader[]
}

export interface HTTPHeader {
  name: string
  value: string
}

export interface HostAlias {
  ip: string
  hostnames?: string[]
}

export interface HostIP {
  ip: string
}

export interface HostPathVolumeSource {
  path: string
  type?: '' | 'BlockDevice' | 'CharDevice' | 'Directory' | 'DirectoryOrCreate' | 'File' | 'FileOrCreate' | 'Socket'
}

export interface ISCSIPersistentVolumeSource {
  targetPortal: string
  iqn: string
  lun: number
  iscsiInterface?: string
  fsType?: string
  readOnly?: boolean
  portals?: string[]
  chapAuthDiscovery?: boolean
  chapAuthSession?: boolean
  secretRef?: SecretReference
  initiatorName?: string
}

export interface ISCSIVolumeSource {
  targetPortal: string
  iqn: string
  lun: number
  iscsiInterface?: string
  fsType?: string
  readOnly?: boolean
  portals?: string[]
  chapAuthDiscovery?: boolean
  chapAuthSession?: boolean
  secretRef?: LocalObjectReference
  initiatorName?: string
}

export interface ImageVolumeSource {
  reference?: string
  pullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
}

export interface ImageVolumeStatus {
  imageRef: string
}

export interface KeyToPath {
  key: string
  path: string
  mode?: number
}

export interface Lifecycle {
  postStart?: LifecycleHandler
  preStop?: LifecycleHandler
  stopSignal?: 'SIGABRT' | 'SIGALRM' | 'SIGBUS' | 'SIGCHLD' | 'SIGCLD' | 'SIGCONT' | 'SIGFPE' | 'SIGHUP' | 'SIGILL' | 'SIGINT' | 'SIGIO' | 'SIGIOT' | 'SIGKILL' | 'SIGPIPE' | 'SIGPOLL' | 'SIGPROF' | 'SIGPWR' | 'SIGQUIT' | 'SIGRTMAX' | 'SIGRTMAX-1' | 'SIGRTMAX-10' | 'SIGRTMAX-11' | 'SIGRTMAX-12' | 'SIGRTMAX-13' | 'SIGRTMAX-14' | 'SIGRTMAX-2' | 'SIGRTMAX-3' | 'SIGRTMAX-4' | 'SIGRTMAX-5' | 'SIGRTMAX-6' | 'SIGRTMAX-7' | 'SIGRTMAX-8' | 'SIGRTMAX-9' | 'SIGRTMIN' | 'SIGRTMIN+1' | 'SIGRTMIN+10' | 'SIGRTMIN+11' | 'SIGRTMIN+12' | 'SIGRTMIN+13' | 'SIGRTMIN+14' | 'SIGRTMIN+15' | 'SIGRTMIN+2' | 'SIGRTMIN+3' | 'SIGRTMIN+4' | 'SIGRTMIN+5' | 'SIGRTMIN+6' | 'SIGRTMIN+7' | 'SIGRTMIN+8' | 'SIGRTMIN+9' | 'SIGSEGV' | 'SIGSTKFLT' | 'SIGSTOP' | 'SIGSYS' | 'SIGTERM' | 'SIGTRAP' | 'SIGTSTP' | 'SIGTTIN' | 'SIGTTOU' | 'SIGURG' | 'SIGUSR1' | 'SIGUSR2' | 'SIGVTALRM' | 'SIGWINCH' | 'SIGXCPU' | 'SIGXFSZ'
}

export interface LifecycleHandler {
  exec?: ExecAction
  httpGet?: HTTPGetAction
  tcpSocket?: TCPSocketAction
  sleep?: SleepAction
}

export interface LimitRange {
  kind: 'LimitRange'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: LimitRangeSpec
}

export interface LimitRangeItem {
  type: string
  max?: Record<string, string>
  min?: Record<string, string>
  default?: Record<string, string>
  defaultRequest?: Record<string, string>
  maxLimitRequestRatio?: Record<string, string>
}

export interface LimitRangeList {
  kind: 'LimitRangeList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: LimitRange[] | null
}

export interface LimitRangeSpec {
  limits: LimitRangeItem[] | null
}

export interface LinuxContainerUser {
  uid: number
  gid: number
  supplementalGroups?: number[]
}

export interface LoadBalancerIngress {
  ip?: string
  hostname?: string
  ipMode?: string
  ports?: PortStatus[]
}

export interface LoadBalancerStatus {
  ingress?: LoadBalancerIngress[]
}

export interface LocalObjectReference {
  name?: string
}

export interface LocalVolumeSource {
  path: string
  fsType?: string
}

export interface ModifyVolumeStatus {
  targetVolumeAttributesClassName?: string
  status: 'InProgress' | 'Infeasible' | 'Pending'
}

export interface NFSVolumeSource {
  server: string
  path: string
  readOnly?: boolean
}

export interface Namespace {
  kind: 'Namespace'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: NamespaceSpec
  status: NamespaceStatus
}

export interface NamespaceCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface NamespaceList {
  kind: 'NamespaceList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: Namespace[] | null
}

export interface NamespaceSpec {
  finalizers?: string[]
}

export interface NamespaceStatus {
  phase?: 'Active' | 'Terminating'
  conditions?: NamespaceCondition[]
}

export interface Node {
  kind: 'Node'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: NodeSpec
  status: NodeStatus
}

export interface NodeAddress {
  type: string
  address: string
}

export interface NodeAffinity {
  requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution?: PreferredSchedulingTerm[]
}

export interface NodeAllocatableResourceClaimStatus {
  resourceClaimName: string
  containers?: string[]
  resources: Record<string, string>
}

export interface NodeCondition {
  type: string
  status: string
  lastHeartbeatTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface NodeConfigSource {
  configMap?: ConfigMapNodeConfigSource
}

export interface NodeConfigStatus {
  assigned?: NodeConfigSource
  active?: NodeConfigSource
  lastKnownGood?: NodeConfigSource
  error?: string
}

export interface NodeDaemonEndpoints {
  kubeletEndpoint: DaemonEndpoint
}

export interface NodeFeatures {
  supplementalGroupsPolicy?: boolean
}

export interface NodeList {
  kind: 'NodeList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: Node[] | null
}

export interface NodeRuntimeHandler {
  name?: string
  features?: NodeRuntimeHandlerFeatures
}

export interface NodeRuntimeHandlerFeatures {
  recursiveReadOnlyMounts?: boolean
  userNamespaces?: boolean
}

export interface NodeSelector {
  nodeSelectorTerms: NodeSelectorTerm[] | null
}

export interface NodeSelectorRequirement {
  key: string
  operator: 'DoesNotExist' | 'Exists' | 'Gt' | 'In' | 'Lt' | 'NotIn'
  values?: string[]
}

export interface NodeSelectorTerm {
  matchExpressions?: NodeSelectorRequirement[]
  matchFields?: NodeSelectorRequirement[]
}

export interface NodeSpec {
  podCIDR?: string
  podCIDRs?: string[]
  providerID?: string
  unschedulable?: boolean
  taints?: Taint[]
  configSource?: NodeConfigSource
  externalID?: string
}

export interface NodeStatus {
  capacity?: Record<string, string>
  allocatable?: Record<string, string>
  phase?: 'Pending' | 'Running' | 'Terminated'
  conditions?: NodeCondition[]
  addresses?: NodeAddress[]
  daemonEndpoints: NodeDaemonEndpoints
  nodeInfo: NodeSystemInfo
  images?: ContainerImage[]
  volumesInUse?: string[]
  volumesAttached?: AttachedVolume[]
  config?: NodeConfigStatus
  runtimeHandlers?: NodeRuntimeHandler[]
  features?: NodeFeatures
  declaredFeatures?: string[]
}

export interface NodeSwapStatus {
  capacity?: number
}

export interface NodeSystemInfo {
  machineID: string
  systemUUID: string
  bootID: string
  kernelVersion: string
  osImage: string
  containerRuntimeVersion: string
  kubeletVersion: string
  kubeProxyVersion: string
  operatingSystem: string
  architecture: string
  swap?: NodeSwapStatus
}

export interface ObjectFieldSelector {
  apiVersion?: string
  fieldPath: string
}

export interface ObjectReference {
  kind?: string
  namespace?: string
  name?: string
  uid?: string
  apiVersion?: string
  resourceVersion?: string
  fieldPath?: string
}

export interface PersistentVolume {
  kind: 'PersistentVolume'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: PersistentVolumeSpec
  status: PersistentVolumeStatus
}

export interface PersistentVolumeClaim {
  kind: 'PersistentVolumeClaim'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: PersistentVolumeClaimSpec
  status: PersistentVolumeClaimStatus
}

export interface PersistentVolumeClaimCondition {
  type: string
  status: string
  lastProbeTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface PersistentVolumeClaimList {
  kind: 'PersistentVolumeClaimList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: PersistentVolumeClaim[] | null
}

export interface PersistentVolumeClaimSpec {
  accessModes?: ('ReadOnlyMany' | 'ReadWriteMany' | 'ReadWriteOnce' | 'ReadWriteOncePod')[]
  selector?: metaV1.LabelSelector
  resources: VolumeResourceRequirements
  volumeName?: string
  storageClassName?: string
  volumeMode?: 'Block' | 'Filesystem'
  dataSource?: TypedLocalObjectReference
  dataSourceRef?: TypedObjectReference
  volumeAttributesClassName?: string
}

export interface PersistentVolumeClaimStatus {
  phase?: 'Bound' | 'Lost' | 'Pending'
  accessModes?: ('ReadOnlyMany' | 'ReadWriteMany' | 'ReadWriteOnce' | 'ReadWriteOncePod')[]
  capacity?: Record<string, string>
  conditions?: PersistentVolumeClaimCondition[]
  allocatedResources?: Record<string, string>
  allocatedResourceStatuses?: Record<string, 'ControllerResizeInProgress' | 'ControllerResizeInfeasible' | 'NodeResizeInProgress' | 'NodeResizeInfeasible' | 'NodeResizePending'>
  currentVolumeAttributesClassName?: string
  modifyVolumeStatus?: ModifyVolumeStatus
}

export interface PersistentVolumeClaimTemplate {
  metadata: metaV1.ObjectMeta
  spec: PersistentVolumeClaimSpec
}

export interface PersistentVolumeClaimVolumeSource {
  claimName: string
  readOnly?: boolean
}

export interface PersistentVolumeList {
  kind: 'PersistentVolumeList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: PersistentVolume[] | null
}

export interface PersistentVolumeSpec {
  capacity?: Record<string, string>
  gcePersistentDisk?: GCEPersistentDiskVolumeSource
  awsElasticBlockStore?: AWSElasticBlockStoreVolumeSource
  hostPath?: HostPathVolumeSource
  glusterfs?: GlusterfsPersistentVolumeSource
  nfs?: NFSVolumeSource
  rbd?: RBDPersistentVolumeSource
  iscsi?: ISCSIPersistentVolumeSource
  cinder?: CinderPersistentVolumeSource
  cephfs?: CephFSPersistentVolumeSource
  fc?: FCVolumeSource
  flocker?: FlockerVolumeSource
  flexVolume?: FlexPersistentVolumeSource
  azureFile?: AzureFilePersistentVolumeSource
  vsphereVolume?: VsphereVirtualDiskVolumeSource
  quobyte?: QuobyteVolumeSource
  azureDisk?: AzureDiskVolumeSource
  photonPersistentDisk?: PhotonPersistentDiskVolumeSource
  portworxVolume?: PortworxVolumeSource
  scaleIO?: ScaleIOPersistentVolumeSource
  local?: LocalVolumeSource
  storageos?: StorageOSPersistentVolumeSource
  csi?: CSIPersistentVolumeSource
  accessModes?: ('ReadOnlyMany' | 'ReadWriteMany' | 'ReadWriteOnce' | 'ReadWriteOncePod')[]
  claimRef?: ObjectReference
  persistentVolumeReclaimPolicy?: 'Delete' | 'Recycle' | 'Retain'
  storageClassName?: string
  mountOptions?: string[]
  volumeMode?: 'Block' | 'Filesystem'
  nodeAffinity?: VolumeNodeAffinity
  volumeAttributesClassName?: string
}

export interface PersistentVolumeStatus {
  phase?: 'Available' | 'Bound' | 'Failed' | 'Pending' | 'Released'
  message?: string
  reason?: string
  lastPhaseTransitionTime?: string
}

export interface PhotonPersistentDiskVolumeSource {
  pdID: string
  fsType?: string
}

export interface Pod {
  kind: 'Pod'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: PodSpec
  status: PodStatus
}

export interface PodAffinity {
  requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[]
  preferredDuringSchedulingIgnoredDuringExecution?: WeightedPodAffinityTerm[]
}

export interface PodAffinityTerm {
  labelSelector?: metaV1.LabelSelector
  namespaces?: string[]
  topologyKey: string
  namespaceSelector?: metaV1.LabelSelector
  matchLabelKeys?: string[]
  mismatchLabelKeys?: string[]
}

export interface PodAntiAffinity {
  requiredDuringSchedulingIgnoredDuringExecution?: PodAffinityTerm[]
  preferredDuringSchedulingIgnoredDuringExecution?: WeightedPodAffinityTerm[]
}

export interface PodCertificateProjection {
  signerName: string
  keyType: string
  maxExpirationSeconds?: number
  credentialBundlePath?: string
  keyPath?: string
  certificateChainPath?: string
  userAnnotations?: Record<string, string>
}

export interface PodCondition {
  type: string
  observedGeneration?: number
  status: string
  lastProbeTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface PodDNSConfig {
  nameservers?: string[]
  searches?: string[]
  options?: PodDNSConfigOption[]
}

export interface PodDNSConfigOption {
  name?: string
  value?: string
}

export interface PodExtendedResourceClaimStatus {
  requestMappings: ContainerExtendedResourceRequest[] | null
  resourceClaimName: string
}

export interface PodIP {
  ip: string
}

export interface PodList {
  kind: 'PodList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: Pod[] | null
}

export interface PodOS {
  name: string
}

export interface PodReadinessGate {
  conditionType: string
}

export interface PodResourceClaim {
  name: string
  resourceClaimName?: string
  resourceClaimTemplateName?: string
}

export interface PodResourceClaimStatus {
  name: string
  resourceClaimName?: string
}

export interface PodSchedulingGate {
  name: string
}

export interface PodSchedulingGroup {
  podGroupName?: string
}

export interface PodSecurityContext {
  seLinuxOptions?: SELinuxOptions
  windowsOptions?: WindowsSecurityContextOptions
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  supplementalGroups?: number[]
  supplementalGroupsPolicy?: 'Merge' | 'Strict'
  fsGroup?: number
  sysctls?: Sysctl[]
  fsGroupChangePolicy?: 'Always' | 'OnRootMismatch'
  seccompProfile?: SeccompProfile
  appArmorProfile?: AppArmorProfile
  seLinuxChangePolicy?: string
}

export interface PodSpec {
  volumes?: Volume[]
  initContainers?: Container[]
  containers: Container[] | null
  ephemeralContainers?: EphemeralContainer[]
  restartPolicy?: 'Always' | 'Never' | 'OnFailure'
  terminationGracePeriodSeconds?: number
  activeDeadlineSeconds?: number
  dnsPolicy?: 'ClusterFirst' | 'ClusterFirstWithHostNet' | 'Default' | 'None'
  nodeSelector?: Record<string, string>
  serviceAccountName?: string
  serviceAccount?: string
  automountServiceAccountToken?: boolean
  nodeName?: string
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  shareProcessNamespace?: boolean
  securityContext?: PodSecurityContext
  imagePullSecrets?: LocalObjectReference[]
  hostname?: string
  subdomain?: string
  affinity?: Affinity
  schedulerName?: string
  tolerations?: Toleration[]
  hostAliases?: HostAlias[]
  priorityClassName?: string
  priority?: number
  dnsConfig?: PodDNSConfig
  readinessGates?: PodReadinessGate[]
  runtimeClassName?: string
  enableServiceLinks?: boolean
  preemptionPolicy?: 'Never' | 'PreemptLowerPriority'
  overhead?: Record<string, string>
  topologySpreadConstraints?: TopologySpreadConstraint[]
  setHostnameAsFQDN?: boolean
  os?: PodOS
  hostUsers?: boolean
  schedulingGates?: PodSchedulingGate[]
  resourceClaims?: PodResourceClaim[]
  resources?: ResourceRequirements
  hostnameOverride?: string
  schedulingGroup?: PodSchedulingGroup
}

export interface PodStatus {
  observedGeneration?: number
  phase?: 'Failed' | 'Pending' | 'Running' | 'Succeeded' | 'Unknown'
  conditions?: PodCondition[]
  message?: string
  reason?: string
  nominatedNodeName?: string
  hostIP?: string
  hostIPs?: HostIP[]
  podIP?: string
  podIPs?: PodIP[]
  startTime?: string
  initContainerStatuses?: ContainerStatus[]
  containerStatuses?: ContainerStatus[]
  qosClass?: 'BestEffort' | 'Burstable' | 'Guaranteed'
  ephemeralContainerStatuses?: ContainerStatus[]
  resize?: string
  resourceClaimStatuses?: PodResourceClaimStatus[]
  extendedResourceClaimStatus?: PodExtendedResourceClaimStatus
  allocatedResources?: Record<string, string>
  resources?: ResourceRequirements
  nodeAllocatableResourceClaimStatuses?: NodeAllocatableResourceClaimStatus[]
}

export interface PodTemplate {
  kind: 'PodTemplate'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  template: PodTemplateSpec
}

export interface PodTemplateList {
  kind: 'PodTemplateList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: PodTemplate[] | null
}

export interface PodTemplateSpec {
  metadata: metaV1.ObjectMeta
  spec: PodSpec
}

export interface PortStatus {
  port: number
  protocol: 'SCTP' | 'TCP' | 'UDP'
  error?: string
}

export interface PortworxVolumeSource {
  volumeID: string
  fsType?: string
  readOnly?: boolean
}

export interface PreferredSchedulingTerm {
  weight: number
  preference: NodeSelectorTerm
}

export interface Probe {
  exec?: ExecAction
  httpGet?: HTTPGetAction
  tcpSocket?: TCPSocketAction
  grpc?: GRPCAction
  initialDelaySeconds?: number
  timeoutSeconds?: number
  periodSeconds?: number
  successThreshold?: number
  failureThreshold?: number
  terminationGracePeriodSeconds?: number
}

export interface ProjectedVolumeSource {
  sources?: VolumeProjection[] | null
  defaultMode?: number
}

export interface QuobyteVolumeSource {
  registry: string
  volume: string
  readOnly?: boolean
  user?: string
  group?: string
  tenant?: string
}

export interface RBDPersistentVolumeSource {
  monitors: string[] | null
  image: string
  fsType?: string
  pool?: string
  user?: string
  keyring?: string
  secretRef?: SecretReference
  readOnly?: boolean
}

export interface RBDVolumeSource {
  monitors: string[] | null
  image: string
  fsType?: string
  pool?: string
  user?: string
  keyring?: string
  secretRef?: LocalObjectReference
  readOnly?: boolean
}

export interface ReplicationController {
  kind: 'ReplicationController'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: ReplicationControllerSpec
  status: ReplicationControllerStatus
}

export interface ReplicationControllerCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface ReplicationControllerList {
  kind: 'ReplicationControllerList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: ReplicationController[] | null
}

export interface ReplicationControllerSpec {
  replicas?: number
  minReadySeconds?: number
  selector?: Record<string, string>
  template?: PodTemplateSpec
}

export interface ReplicationControllerStatus {
  replicas: number
  fullyLabeledReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  observedGeneration?: number
  conditions?: ReplicationControllerCondition[]
}

export interface ResourceClaim {
  name: string
  request?: string
}

export interface ResourceFieldSelector {
  containerName?: string
  resource: string
  divisor?: string
}

export interface ResourceHealth {
  resourceID: string
  health?: string
  message?: string
}

export interface ResourceQuota {
  kind: 'ResourceQuota'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: ResourceQuotaSpec
  status: ResourceQuotaStatus
}

export interface ResourceQuotaList {
  kind: 'ResourceQuotaList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: ResourceQuota[] | null
}

export interface ResourceQuotaSpec {
  hard?: Record<string, string>
  scopes?: ('BestEffort' | 'CrossNamespacePodAffinity' | 'NotBestEffort' | 'NotTerminating' | 'PriorityClass' | 'Terminating' | 'VolumeAttributesClass')[]
  scopeSelector?: ScopeSelector
}

export interface ResourceQuotaStatus {
  hard?: Record<string, string>
  used?: Record<string, string>
}

export interface ResourceRequirements {
  limits?: Record<string, string>
  requests?: Record<string, string>
  claims?: ResourceClaim[]
}

export interface ResourceStatus {
  name: string
  resources?: ResourceHealth[]
}

export interface SELinuxOptions {
  user?: string
  role?: string
  type?: string
  level?: string
}

export interface ScaleIOPersistentVolumeSource {
  gateway: string
  system: string
  secretRef: SecretReference
  sslEnabled?: boolean
  protectionDomain?: string
  storagePool?: string
  storageMode?: string
  volumeName?: string
  fsType?: string
  readOnly?: boolean
}

export interface ScaleIOVolumeSource {
  gateway: string
  system: string
  secretRef: LocalObjectReference
  sslEnabled?: boolean
  protectionDomain?: string
  storagePool?: string
  storageMode?: string
  volumeName?: string
  fsType?: string
  readOnly?: boolean
}

export interface ScopeSelector {
  matchExpressions?: ScopedResourceSelectorRequirement[]
}

export interface ScopedResourceSelectorRequirement {
  scopeName: 'BestEffort' | 'CrossNamespacePodAffinity' | 'NotBestEffort' | 'NotTerminating' | 'PriorityClass' | 'Terminating' | 'VolumeAttributesClass'
  operator: 'DoesNotExist' | 'Exists' | 'In' | 'NotIn'
  values?: string[]
}

export interface SeccompProfile {
  type: 'Localhost' | 'RuntimeDefault' | 'Unconfined'
  localhostProfile?: string
}

export interface Secret {
  kind: 'Secret'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  immutable?: boolean
  data?: Record<string, string>
  stringData?: Record<string, string>
  type?: string
}

export interface SecretEnvSource {
  name?: string
  optional?: boolean
}

export interface SecretKeySelector {
  name?: string
  key: string
  optional?: boolean
}

export interface SecretList {
  kind: 'SecretList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: Secret[] | null
}

export interface SecretProjection {
  name?: string
  items?: KeyToPath[]
  optional?: boolean
}

export interface SecretReference {
  name?: string
  namespace?: string
}

export interface SecretVolumeSource {
  secretName?: string
  items?: KeyToPath[]
  defaultMode?: number
  optional?: boolean
}

export interface SecurityContext {
  capabilities?: Capabilities
  privileged?: boolean
  seLinuxOptions?: SELinuxOptions
  windowsOptions?: WindowsSecurityContextOptions
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  readOnlyRootFilesystem?: boolean
  allowPrivilegeEscalation?: boolean
  procMount?: 'Default' | 'Unmasked'
  seccompProfile?: SeccompProfile
  appArmorProfile?: AppArmorProfile
}

export interface Service {
  kind: 'Service'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  spec: ServiceSpec
  status: ServiceStatus
}

export interface ServiceAccount {
  kind: 'ServiceAccount'
  apiVersion: 'v1'
  metadata: StoredObjectMeta
  secrets?: ObjectReference[]
  imagePullSecrets?: LocalObjectReference[]
  automountServiceAccountToken?: boolean
}

export interface ServiceAccountList {
  kind: 'ServiceAccountList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: ServiceAccount[] | null
}

export interface ServiceAccountTokenProjection {
  audience?: string
  expirationSeconds?: number
  path: string
}

export interface ServiceList {
  kind: 'ServiceList'
  apiVersion: 'v1'
  metadata: metaV1.ListMeta
  items: Service[] | null
}

export interface ServicePort {
  name?: string
  protocol?: 'SCTP' | 'TCP' | 'UDP'
  appProtocol?: string
  port: number
  targetPort?: number | string
  nodePort?: number
}

export interface ServiceSpec {
  ports?: ServicePort[]
  selector?: Record<string, string>
  clusterIP?: string
  clusterIPs?: string[]
  type?: 'ClusterIP' | 'ExternalName' | 'LoadBalancer' | 'NodePort'
  externalIPs?: string[]
  sessionAffinity?: 'ClientIP' | 'None'
  loadBalancerIP?: string
  loadBalancerSourceRanges?: string[]
  externalName?: string
  externalTrafficPolicy?: 'Cluster' | 'Local'
  healthCheckNodePort?: number
  publishNotReadyAddresses?: boolean
  sessionAffinityConfig?: SessionAffinityConfig
  ipFamilies?: ('' | 'IPv4' | 'IPv6')[]
  ipFamilyPolicy?: 'PreferDualStack' | 'RequireDualStack' | 'SingleStack'
  allocateLoadBalancerNodePorts?: boolean
  loadBalancerClass?: string
  internalTrafficPolicy?: 'Cluster' | 'Local'
  trafficDistribution?: string
}

export interface ServiceStatus {
  loadBalancer: LoadBalancerStatus
  conditions?: metaV1.Condition[]
}

export interface SessionAffinityConfig {
  clientIP?: ClientIPConfig
}

export interface SleepAction {
  seconds: number
}

export interface StorageOSPersistentVolumeSource {
  volumeName?: string
  volumeNamespace?: string
  fsType?: string
  readOnly?: boolean
  secretRef?: ObjectReference
}

export interface StorageOSVolumeSource {
  volumeName?: string
  volumeNamespace?: string
  fsType?: string
  readOnly?: boolean
  secretRef?: LocalObjectReference
}

export interface Sysctl {
  name: string
  value: string
}

export interface TCPSocketAction {
  port: number | string
  host?: string
}

export interface Taint {
  key: string
  value?: string
  effect: 'NoExecute' | 'NoSchedule' | 'PreferNoSchedule'
  timeAdded?: string
}

export interface Toleration {
  key?: string
  operator?: 'Equal' | 'Exists' | 'Gt' | 'Lt'
  value?: string
  effect?: 'NoExecute' | 'NoSchedule' | 'PreferNoSchedule'
  tolerationSeconds?: number
}

export interface TopologySelectorLabelRequirement {
  key: string
  values: string[] | null
}

export interface TopologySelectorTerm {
  matchLabelExpressions?: TopologySelectorLabelRequirement[]
}

export interface TopologySpreadConstraint {
  maxSkew: number
  topologyKey: string
  whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway'
  labelSelector?: metaV1.LabelSelector
  minDomains?: number
  nodeAffinityPolicy?: 'Honor' | 'Ignore'
  nodeTaintsPolicy?: 'Honor' | 'Ignore'
  matchLabelKeys?: string[]
}

export interface TypedLocalObjectReference {
  apiGroup?: string
  kind: string
  name: string
}

export interface TypedObjectReference {
  apiGroup?: string
  kind: string
  name: string
  namespace?: string
}

export interface Volume {
  name: string
  hostPath?: HostPathVolumeSource
  emptyDir?: EmptyDirVolumeSource
  gcePersistentDisk?: GCEPersistentDiskVolumeSource
  awsElasticBlockStore?: AWSElasticBlockStoreVolumeSource
  gitRepo?: GitRepoVolumeSource
  secret?: SecretVolumeSource
  nfs?: NFSVolumeSource
  iscsi?: ISCSIVolumeSource
  glusterfs?: GlusterfsVolumeSource
  persistentVolumeClaim?: PersistentVolumeClaimVolumeSource
  rbd?: RBDVolumeSource
  flexVolume?: FlexVolumeSource
  cinder?: CinderVolumeSource
  cephfs?: CephFSVolumeSource
  flocker?: FlockerVolumeSource
  downwardAPI?: DownwardAPIVolumeSource
  fc?: FCVolumeSource
  azureFile?: AzureFileVolumeSource
  configMap?: ConfigMapVolumeSource
  vsphereVolume?: VsphereVirtualDiskVolumeSource
  quobyte?: QuobyteVolumeSource
  azureDisk?: AzureDiskVolumeSource
  photonPersistentDisk?: PhotonPersistentDiskVolumeSource
  projected?: ProjectedVolumeSource
  portworxVolume?: PortworxVolumeSource
  scaleIO?: ScaleIOVolumeSource
  storageos?: StorageOSVolumeSource
  csi?: CSIVolumeSource
  ephemeral?: EphemeralVolumeSource
  image?: ImageVolumeSource
}

export interface VolumeDevice {
  name: string
  devicePath: string
}

export interface VolumeMount {
  name: string
  readOnly?: boolean
  recursiveReadOnly?: string
  mountPath: string
  subPath?: string
  mountPropagation?: 'Bidirectional' | 'HostToContainer' | 'None'
  subPathExpr?: string
}

export interface VolumeMountStatus {
  name: string
  mountPath: string
  readOnly?: boolean
  recursiveReadOnly?: string
  volumeStatus?: VolumeStatus
}

export interface VolumeNodeAffinity {
  required?: NodeSelector
}

export interface VolumeProjection {
  secret?: SecretProjection
  downwardAPI?: DownwardAPIProjection
  configMap?: ConfigMapProjection
  serviceAccountToken?: ServiceAccountTokenProjection
  clusterTrustBundle?: ClusterTrustBundleProjection
  podCertificate?: PodCertificateProjection
}

export interface VolumeResourceRequirements {
  limits?: Record<string, string>
  requests?: Record<string, string>
}

export interface VolumeStatus {
  image?: ImageVolumeStatus
}

export interface VsphereVirtualDiskVolumeSource {
  volumePath: string
  fsType?: string
  storagePolicyName?: string
  storagePolicyID?: string
}

export interface WeightedPodAffinityTerm {
  weight: number
  podAffinityTerm: PodAffinityTerm
}

export interface WindowsSecurityContextOptions {
  gmsaCredentialSpecName?: string
  gmsaCredentialSpec?: string
  runAsUserName?: string
  hostProcess?: boolean
}
