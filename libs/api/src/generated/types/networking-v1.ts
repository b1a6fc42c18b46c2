// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type * as coreV1 from './core-v1.ts'
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface HTTPIngressPath {
  path?: string
  pathType: 'Exact' | 'ImplementationSpecific' | 'Prefix'
  backend: IngressBackend
}

export interface HTTPIngressRuleValue {
  paths: HTTPIngressPath[] | null
}

export interface IPAddress {
  kind: 'IPAddress'
  apiVersion: 'networking.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: IPAddressSpec
}

export interface IPAddressList {
  kind: 'IPAddressList'
  apiVersion: 'networking.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: IPAddress[] | null
}

export interface IPAddressSpec {
  parentRef: ParentReference
}

export interface IPBlock {
  cidr: string
  except?: string[]
}

export interface Ingress {
  kind: 'Ingress'
  apiVersion: 'networking.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: IngressSpec
  status: IngressStatus
}

export interface IngressBackend {
  service?: IngressServiceBackend
  resource?: coreV1.TypedLocalObjectReference
}

export interface IngressClass {
  kind: 'IngressClass'
  apiVersion: 'networking.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: IngressClassSpec
}

export interface IngressClassList {
  kind: 'IngressClassList'
  apiVersion: 'networking.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: IngressClass[] | null
}

export interface IngressClassParametersReference {
  apiGroup?: string
  kind: string
  name: string
  scope?: string
  namespace?: string
}

export interface IngressClassSpec {
  controller?: string
  parameters?: IngressClassParametersReference
}

export interface IngressList {
  kind: 'IngressList'
  apiVersion: 'networking.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: Ingress[] | null
}

export interface IngressLoadBalancerIngress {
  ip?: string
  hostname?: string
  ports?: IngressPortStatus[]
}

export interface IngressLoadBalancerStatus {
  ingress?: IngressLoadBalancerIngress[]
}

export interface IngressPortStatus {
  port: number
  protocol: 'SCTP' | 'TCP' | 'UDP'
  error?: string
}

export interface IngressRule {
  host?: string
  http?: HTTPIngressRuleValue
}

export interface IngressServiceBackend {
  name: string
  port: ServiceBackendPort
}

export interface IngressSpec {
  ingressClassName?: string
  defaultBackend?: IngressBackend
  tls?: IngressTLS[]
  rules?: IngressRule[]
}

export interface IngressStatus {
  loadBalancer: IngressLoadBalancerStatus
}

export interface IngressTLS {
  hosts?: string[]
  secretName?: string
}

export interface NetworkPolicy {
  kind: 'NetworkPolicy'
  apiVersion: 'networking.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: NetworkPolicySpec
}

export interface NetworkPolicyEgressRule {
  ports?: NetworkPolicyPort[]
  to?: NetworkPolicyPeer[]
}

export interface NetworkPolicyIngressRule {
  ports?: NetworkPolicyPort[]
  from?: NetworkPolicyPeer[]
}

export interface NetworkPolicyList {
  kind: 'NetworkPolicyList'
  apiVersion: 'networking.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: NetworkPolicy[] | null
}

export interface NetworkPolicyPeer {
  podSelector?: metaV1.LabelSelector
  namespaceSelector?: metaV1.LabelSelector
  ipBlock?: IPBlock
}

export interface NetworkPolicyPort {
  protocol?: 'SCTP' | 'TCP' | 'UDP'
  port?: number | string
  endPort?: number
}

export interface NetworkPolicySpec {
  podSelector: metaV1.LabelSelector
  ingress?: NetworkPolicyIngressRule[]
  egress?: NetworkPolicyEgressRule[]
  policyTypes?: ('Egress' | 'Ingress')[]
}

export interface ParentReference {
  group?: string
  resource: string
  namespace?: string
  name: string
}

export interface ServiceBackendPort {
  name?: string
  number?: number
}

export interface ServiceCIDR {
  kind: 'ServiceCIDR'
  apiVersion: 'networking.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: ServiceCIDRSpec
  status: ServiceCIDRStatus
}

export interface ServiceCIDRList {
  kind: 'ServiceCIDRList'
  apiVersion: 'networking.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ServiceCIDR[] | null
}

export interface ServiceCIDRSpec {
  cidrs?: string[]
}

export interface ServiceCIDRStatus {
  conditions?: metaV1.Condition[]
}
