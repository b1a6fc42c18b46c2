// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface AllocatedDeviceStatus {
  driver: string
  pool: string
  device: string
  shareID?: string
  conditions?: metaV1.Condition[] | null
  data?: unknown
  networkData?: NetworkDeviceData
}

export interface AllocationResult {
  devices: DeviceAllocationResult
  nodeSelector?: coreV1.NodeSelector
  allocationTimestamp?: string
}

export interface CELDeviceSelector {
  expression: string
}

export interface CapacityRequestPolicy {
  default?: string
  validValues?: string[]
  validRange?: CapacityRequestPolicyRange
}

export interface CapacityRequestPolicyRange {
  min: string
  max?: string
  step?: string
}

export interface CapacityRequirements {
  requests?: Record<string, string>
}

export interface Counter {
  value: string
}

export interface CounterSet {
  name: string
  counters: Record<string, Counter>
}

export interface Device {
  name: string
  attributes?: Record<string, DeviceAttribute>
  capacity?: Record<string, DeviceCapacity>
  consumesCounters?: DeviceCounterConsumption[]
  nodeName?: string
  nodeSelector?: coreV1.NodeSelector
  allNodes?: boolean
  taints?: DeviceTaint[]
  bindsToNode?: boolean
  bindingConditions?: string[]
  bindingFailureConditions?: string[]
  allowMultipleAllocations?: boolean
  nodeAllocatableResourceMappings?: Record<string, NodeAllocatableResourceMapping>
}

export interface DeviceAllocationConfiguration {
  source: 'FromClaim' | 'FromClass'
  requests?: string[]
  opaque?: OpaqueDeviceConfiguration
}

export interface DeviceAllocationResult {
  results?: DeviceRequestAllocationResult[]
  config?: DeviceAllocationConfiguration[]
}

export interface DeviceAttribute {
  int?: number
  bool?: boolean
  string?: string
  version?: string
  ints?: number[]
  bools?: boolean[]
  strings?: string[]
  versions?: string[]
}

export interface DeviceCapacity {
  value: string
  requestPolicy?: CapacityRequestPolicy
}

export interface DeviceClaim {
  requests?: DeviceRequest[] | null
  constraints?: DeviceConstraint[]
  config?: DeviceClaimConfiguration[]
}

export interface DeviceClaimConfiguration {
  requests?: string[]
  opaque?: OpaqueDeviceConfiguration
}

export interface DeviceClass {
  kind: 'DeviceClass'
  apiVersion: 'resource.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: DeviceClassSpec
}

export interface DeviceClassConfiguration {
  opaque?: OpaqueDeviceConfiguration
}

export interface DeviceClassList {
  kind: 'DeviceClassList'
  apiVersion: 'resource.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: DeviceClass[] | null
}

export interface DeviceClassSpec {
  selectors?: DeviceSelector[]
  config?: DeviceClassConfiguration[]
  extendedResourceName?: string
}

export interface DeviceConstraint {
  requests?: string[]
  matchAttribute?: string
  distinctAttribute?: string
}

export interface DeviceCounterConsumption {
  counterSet: string
  counters: Record<string, Counter>
}

export interface DeviceRequest {
  name: string
  exactly?: ExactDeviceRequest
  firstAvailable?: DeviceSubRequest[]
}

export interface DeviceRequestAllocationResult {
  request: string
  driver: string
  pool: string
  device: string
  adminAccess?: boolean
  tolerations?: DeviceToleration[]
  bindingConditions?: string[]
  bindingFailureConditions?: string[]
  shareID?: string
  consumedCapacity?: Record<string, string>
}

export interface DeviceSelector {
  cel?: CELDeviceSelector
}

export interface DeviceSubRequest {
  name: string
  deviceClassName: string
  selectors?: DeviceSelector[]
  allocationMode?: 'All' | 'ExactCount'
  count?: number
  tolerations?: DeviceToleration[]
  capacity?: CapacityRequirements
}

export interface DeviceTaint {
  key: string
  value?: string
  effect: 'NoExecute' | 'NoSchedule' | 'None'
  timeAdded?: string
}

export interface DeviceToleration {
  key?: string
  operator?: 'Equal' | 'Exists'
  value?: string
  effect?: 'NoExecute' | 'NoSchedule' | 'None'
  tolerationSeconds?: number
}

export interface ExactDeviceRequest {
  deviceClassName: string
  selectors?: DeviceSelector[]
  allocationMode?: 'All' | 'ExactCount'
  count?: number
  adminAccess?: boolean
  tolerations?: DeviceToleration[]
  capacity?: CapacityRequirements
}

export interface NetworkDeviceData {
  interfaceName?: string
  ips?: string[]
  hardwareAddress?: string
}

export interface NodeAllocatableResourceMapping {
  allocationMultiplier?: string
  capacityKey?: string
}

export interface OpaqueDeviceConfiguration {
  driver: string
  parameters: unknown
}

export interface ResourceClaim {
  kind: 'ResourceClaim'
  apiVersion: 'resource.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: ResourceClaimSpec
  status: ResourceClaimStatus
}

export interface ResourceClaimConsumerReference {
  apiGroup?: string
  resource: string
  name: string
  uid: string
}

export interface ResourceClaimList {
  kind: 'ResourceClaimList'
  apiVersion: 'resource.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ResourceClaim[] | null
}

export interface ResourceClaimSpec {
  devices: DeviceClaim
}

export interface ResourceClaimStatus {
  allocation?: AllocationResult
  reservedFor?: ResourceClaimConsumerReference[]
  devices?: AllocatedDeviceStatus[]
}

export interface ResourceClaimTemplate {
  kind: 'ResourceClaimTemplate'
  apiVersion: 'resource.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: ResourceClaimTemplateSpec
}

export interface ResourceClaimTemplateList {
  kind: 'ResourceClaimTemplateList'
  apiVersion: 'resource.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ResourceClaimTemplate[] | null
}

export interface ResourceClaimTemplateSpec {
  metadata: metaV1.ObjectMeta
  spec: ResourceClaimSpec
}

export interface ResourcePool {
  name: string
  generation: number
  resourceSliceCount: number
}

export interface ResourceSlice {
  kind: 'ResourceSlice'
  apiVersion: 'resource.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: ResourceSliceSpec
}

export interface ResourceSliceList {
  kind: 'ResourceSliceList'
  apiVersion: 'resource.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ResourceSlice[] | null
}

export interface ResourceSliceSpec {
  driver: string
  pool: ResourcePool
  nodeName?: string
  nodeSelector?: coreV1.NodeSelector
  allNodes?: boolean
  devices?: Device[]
  perDeviceNodeSelection?: boolean
  sharedCounters?: CounterSet[]
}
