// Written by `npm run generate` from the same tables as kinds.json; see tools/generate/types.ts. Types only.
import type { ObjectMeta as StoredObjectMeta } from '../../kube-object.ts'
import type * as metaV1 from './meta-v1.ts'

export interface CustomResourceColumnDefinition {
  name: string
  type: string
  format?: string
  description?: string
  priority?: number
  jsonPath: string
}

export interface CustomResourceConversion {
  strategy: string
  webhook?: WebhookConversion
}

export interface CustomResourceDefinition {
  kind: 'CustomResourceDefinition'
  apiVersion: 'apiextensions.k8s.io/v1'
  metadata: StoredObjectMeta
  spec: CustomResourceDefinitionSpec
  status: CustomResourceDefinitionStatus
}

export interface CustomResourceDefinitionCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
  observedGeneration?: number
}

export interface CustomResourceDefinitionList {
  kind: 'CustomResourceDefinitionList'
  apiVersion: 'apiextensions.k8s.io/v1'
  metadata: metaV1.ListMeta
  items: CustomResourceDefinition[] | null
}

export interface CustomResourceDefinitionNames {
  plural: string
  singular?: string
  shortNames?: string[]
  kind: string
  listKind?: string
  categories?: string[]
}

export interface CustomResourceDefinitionSpec {
  group: string
  names: CustomResourceDefinitionNames
  scope: string
  versions: CustomResourceDefinitionVersion[] | null
  conversion?: CustomResourceConversion
  preserveUnknownFields?: boolean
}

export interface CustomResourceDefinitionStatus {
  conditions?: CustomResourceDefinitionCondition[] | null
  acceptedNames: CustomResourceDefinitionNames
  storedVersions?: string[] | null
  observedGeneration?: number
}

export interface CustomResourceDefinitionVersion {
  name: string
  served: boolean
  storage: boolean
  deprecated?: boolean
  deprecationWarning?: string
  schema?: CustomResourceValidation
  subresources?: CustomResourceSubresources
  additionalPrinterColumns?: CustomResourceColumnDefinition[]
  selectableFields?: SelectableField[]
}

export interface CustomResourceSubresourceScale {
  specReplicasPath: string
  statusReplicasPath: string
  labelSelectorPath?: string
}

export interface CustomResourceSubresources {
  status?: unknown
  scale?: CustomResourceSubresourceScale
}

export interface CustomResourceValidation {
  openAPIV3Schema?: JSONSchemaProps
}

export interface ExternalDocumentation {
  description?: string
  url?: string
}

export interface JSONSchemaProps {
  id?: string
  "$schema"?: string
  "$ref"?: string
  description?: string
  type?: string
  format?: string
  title?: string
  default?: unknown
  maximum?: number
  exclusiveMaximum?: boolean
  minimum?: number
  exclusiveMinimum?: boolean
  maxLength?: number
  minLength?: number
  pattern?: string
  maxItems?: number
  minItems?: number
  uniqueItems?: boolean
  multipleOf?: number
  enum?: unknown[]
  maxProperties?: number
  minProperties?: number
  required?: string[]
  items?: unknown
  allOf?: JSONSchemaProps[]
  oneOf?: JSONSchemaProps[]
  anyOf?: JSONSchemaProps[]
  not?: JSONSchemaProps
  properties?: Record<string, JSONSchemaProps>
  additionalProperties?: unknown
  patternProperties?: Record<string, JSONSchemaProps>
  dependencies?: Record<string, unknown>
  additionalItems?: unknown
  definitions?: Record<string, JSONSchemaProps>
  externalDocs?: ExternalDocumentation
  example?: unknown
  nullable?: boolean
  "x-kubernetes-preserve-unknown-fields"?: boolean
  "x-kubernetes-embedded-resource"?: boolean
  "x-kubernetes-int-or-string"?: boolean
  "x-kubernetes-list-map-keys"?: string[]
  "x-kubernetes-list-type"?: string
  "x-kubernetes-map-type"?: string
  "x-kubernetes-validations"?: ValidationRule[]
}

export interface SelectableField {
  jsonPath: string
}

export interface ServiceReference {
  namespace: string
  name: string
  path?: string
  port?: number
}

export interface ValidationRule {
  rule: string
  message?: string
  messageExpression?: string
  reason?: 'FieldValueDuplicate' | 'FieldValueForbidden' | 'FieldValueInvalid' | 'FieldValueRequired'
  fieldPath?: string
  optionalOldSelf?: boolean
}

export interface WebhookClientConfig {
  url?: string
  service?: ServiceReference
  caBundle?: string
}

export interface WebhookConversion {
  clientConfig?: WebhookClientConfig
  conversionReviewVersions: string[] | null
}
