// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface ApplyConfiguration {
  expression?: string
}

export interface AuditAnnotation {
  key: string
  valueExpression: string
}

export interface ExpressionWarning {
  fieldRef: string
  warning: string
}

export interface JSONPatch {
  expression?: string
}

export interface MatchCondition {
  name: string
  expression: string
}

export interface MatchResources {
  namespaceSelector?: metaV1.LabelSelector
  objectSelector?: metaV1.LabelSelector
  resourceRules?: NamedRuleWithOperations[]
  excludeResourceRules?: NamedRuleWithOperations[]
  matchPolicy?: 'Equivalent' | 'Exact'
}

export interface MutatingAdmissionPolicy {
  kind: 'MutatingAdmissionPolicy'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: MutatingAdmissionPolicySpec
}

export interface MutatingAdmissionPolicyBinding {
  kind: 'MutatingAdmissionPolicyBinding'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: MutatingAdmissionPolicyBindingSpec
}

export interface MutatingAdmissionPolicyBindingList {
  kind: 'MutatingAdmissionPolicyBindingList'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: MutatingAdmissionPolicyBinding[] | null
}

export interface MutatingAdmissionPolicyBindingSpec {
  policyName?: string
  paramRef?: ParamRef
  matchResources?: MatchResources
}

export interface MutatingAdmissionPolicyList {
  kind: 'MutatingAdmissionPolicyList'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: MutatingAdmissionPolicy[] | null
}

export interface MutatingAdmissionPolicySpec {
  paramKind?: ParamKind
  matchConstraints?: MatchResources
  variables?: Variable[]
  mutations?: Mutation[]
  failurePolicy?: 'Fail' | 'Ignore'
  matchConditions?: MatchCondition[]
  reinvocationPolicy?: 'IfNeeded' | 'Never'
}

export interface MutatingWebhook {
  name: string
  clientConfig: WebhookClientConfig
  rules?: RuleWithOperations[]
  failurePolicy?: 'Fail' | 'Ignore'
  matchPolicy?: 'Equivalent' | 'Exact'
  namespaceSelector?: metaV1.LabelSelector
  objectSelector?: metaV1.LabelSelector
  sideEffects: 'None' | 'NoneOnDryRun' | 'Some' | 'Unknown'
  timeoutSeconds?: number
  admissionReviewVersions: string[] | null
  reinvocationPolicy?: 'IfNeeded' | 'Never'
  matchConditions?: MatchCondition[]
}

export interface MutatingWebhookConfiguration {
  kind: 'MutatingWebhookConfiguration'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: StoredObjectMeta
  webhooks?: MutatingWebhook[]
}

export interface MutatingWebhookConfigurationList {
  kind: 'MutatingWebhookConfigurationList'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: MutatingWebhookConfiguration[] | null
}

export interface Mutation {
  patchType: 'ApplyConfiguration' | 'JSONPatch'
  applyConfiguration?: ApplyConfiguration
  jsonPatch?: JSONPatch
}

export interface NamedRuleWithOperations {
  resourceNames?: string[]
  operations?: ('*' | 'CONNECT' | 'CREATE' | 'DELETE' | 'UPDATE')[]
  apiGroups?: string[]
  apiVersions?: string[]
  resources?: string[]
  scope?: '*' | 'Cluster' | 'Namespaced'
}

export interface ParamKind {
  apiVersion?: string
  kind?: string
}

export interface ParamRef {
  name?: string
  namespace?: string
  selector?: metaV1.LabelSelector
  parameterNotFoundAction?: string
}

export interface RuleWithOperations {
  operations?: ('*' | 'CONNECT' | 'CREATE' | 'DELETE' | 'UPDATE')[]
  apiGroups?: string[]
  apiVersions?: string[]
  resources?: string[]
  scope?: '*' | 'Cluster' | 'Namespaced'
}

export interface ServiceReference {
  namespace: string
  name: string
  path?: string
  port?: number
}

export interface TypeChecking {
  expressionWarnings?: ExpressionWarning[]
}

export interface ValidatingAdmissionPolicy {
  kind: 'ValidatingAdmissionPolicy'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: ValidatingAdmissionPolicySpec
  status: ValidatingAdmissionPolicyStatus
}

export interface ValidatingAdmissionPolicyBinding {
  kind: 'ValidatingAdmissionPolicyBinding'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: ValidatingAdmissionPolicyBindingSpec
}

export interface ValidatingAdmissionPolicyBindingList {
  kind: 'ValidatingAdmissionPolicyBindingList'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ValidatingAdmissionPolicyBinding[] | null
}

export interface ValidatingAdmissionPolicyBindingSpec {
  policyName: string
  paramRef?: ParamRef
  matchResources?: MatchResources
  validationActions: ('Audit' | 'Deny' | 'Warn')[]
}

export interface ValidatingAdmissionPolicyList {
  kind: 'ValidatingAdmissionPolicyList'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ValidatingAdmissionPolicy[] | null
}

export interface ValidatingAdmissionPolicySpec {
  paramKind?: ParamKind
  matchConstraints?: MatchResources
  validations?: Validation[]
  failurePolicy?: 'Fail' | 'Ignore'
  auditAnnotations?: AuditAnnotation[]
  matchConditions?: MatchCondition[]
  variables?: Variable[]
}

export interface ValidatingAdmissionPolicyStatus {
  observedGeneration?: number
  typeChecking?: TypeChecking
  conditions?: metaV1.Condition[]
}

export interface ValidatingWebhook {
  name: string
  clientConfig: WebhookClientConfig
  rules?: RuleWithOperations[]
  failurePolicy?: 'Fail' | 'Ignore'
  matchPolicy?: 'Equivalent' | 'Exact'
  namespaceSelector?: metaV1.LabelSelector
  objectSelector?: metaV1.LabelSelector
  sideEffects: 'None' | 'NoneOnDryRun' | 'Some' | 'Unknown'
  timeoutSeconds?: number
  admissionReviewVersions: string[] | null
  matchConditions?: MatchCondition[]
}

export interface ValidatingWebhookConfiguration {
  kind: 'ValidatingWebhookConfiguration'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: StoredObjectMeta
  webhooks?: ValidatingWebhook[]
}

export interface ValidatingWebhookConfigurationList {
  kind: 'ValidatingWebhookConfigurationList'
  apiVersion: 'admissionregistration.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: ValidatingWebhookConfiguration[] | null
}

export interface Validation {
  expression: string
  message?: string
  reason?: string
  messageExpression?: string
}

export interface Variable {
  name: string
  expression: string
}

export interface WebhookClientConfig {
  url?: string
  service?: ServiceReference
  caBundle?: string
}
