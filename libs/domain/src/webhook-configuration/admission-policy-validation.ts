// Admission policies: rules that the API server itself would ask, written as expressions.
import { duplicate, forbiddenField, invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  MutatingAdmissionPolicyBindingSpec,
  MutatingAdmissionPolicySpec,
  Mutation,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
  Validation,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded } from '@shiplog/api/decoded'
import { dyn, type Type } from '@shiplog/cel/types'
import {
  checkExpression,
  type ExpressionScope,
  isIdentifier,
  parameterScope,
  requestScope,
  withComposed,
  without,
} from '../expressions/expression-scope.ts'
import { byRule, items } from '../fields.ts'
import { dns1035Label, dns1123Subdomain, pathSegment, qualifiedName } from '../names.ts'
import {
  validateExpression,
  validateMatchConditions,
  validateMatchResources,
} from './admission-rules.ts'

const failurePolicies = ['Fail', 'Ignore']
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']
const actions = ['Audit', 'Deny', 'Warn']
const mutableOperations = ['*', 'CONNECT', 'CREATE', 'UPDATE']
const reinvocationPolicies = ['IfNeeded', 'Never']
const patchTypes = ['ApplyConfiguration', 'JSONPatch']
const notFoundActions = ['Deny', 'Allow']
const auditAnnotationsMax = 20
const valueExpressionBytesMax = 5 * 1024

const validateParamKind = (kind: Decoded<ParamKind> | undefined, field: string): StatusCause[] => {
  if (!kind) return []
  const causes: StatusCause[] = []
  const { apiVersion = '', kind: name = '' } = kind
  const at = `${field}.apiVersion`
  const parts = apiVersion.split('/')
  if (apiVersion === '') causes.push(required(at))
  else if (parts.length > 2) causes.push(invalidValue(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  else {
    const [group, version] = parts.length === 2 ? (parts as [string, string]) : ['', apiVersion]
    const wrongGroup = group === '' ? [] : dns1123Subdomain(group)
    if (wrongGroup.length > 0) causes.push(invalidValue(at, group, wrongGroup.join(',')))
    const wrongVersion = dns1035Label(version)
    if (version === '') causes.push(invalidValue(at, apiVersion, 'version must be specified'))
    else if (wrongVersion.length > 0) causes.push(invalidValue(at, version, wrongVersion.join(',')))
  }
  const wrongKind = dns1035Label(name.toLowerCase())
  if (name === '') causes.push(required(`${field}.kind`))
  else if (wrongKind.length > 0)
    causes.push(
      invalidValue(`${field}.kind`, name, `may have mixed case, but should otherwise match: ${wrongKind.join(',')}`),
    )
  return causes
}

/** Each variable may use those before it; gives the scope of what comes after all of them. */
const validateVariables = (
  spec: PolicySpec,
  scope: ExpressionScope,
): { causes: StatusCause[]; scope: ExpressionScope } => {
  const causes: StatusCause[] = []
  const known = new Map<string, Type>()
  const composed = (): ExpressionScope => withComposed(scope, new Map(known))
  const list = items(spec.variables)
  list.forEach((variable, index) => {
    const at = `spec.variables[${index}]`
    const { name = '', expression = '' } = variable
    if (name.trim() === '') causes.push(required(`${at}.name`, 'name is not specified'))
    else if (!isIdentifier(name)) causes.push(invalidValue(`${at}.name`, name, 'must be a valid CEL identifier'))
    if (expression.trim() === '') causes.push(required(`${at}.expression`, 'expression is not specified'))
    else {
      const checked = checkExpression(expression, composed())
      if ('problem' in checked) causes.push(invalidValue(`${at}.expression`, expression, checked.problem))
      else known.set(name, checked.type)
    }
    if (!known.has(name)) known.set(name, dyn)
  })
  return { causes, scope: list.length > 0 ? composed() : scope }
}

const validateValidation = (
  validation: Decoded<Validation>,
  scope: ExpressionScope,
  at: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  const { expression = '', message = '', messageExpression = '' } = validation
  if (expression.trim() === '') causes.push(required(`${at}.expression`, 'expression is not specified'))
  else causes.push(...validateExpression(expression, scope, ['bool'], `${at}.expression`))
  if (messageExpression !== '' && messageExpression.trim() === '')
    causes.push(invalidValue(`${at}.messageExpression`, messageExpression, 'must be non-empty if specified'))
  else if (messageExpression !== '') {
    // A message asks nobody for permissions.
    const inner = without(scope, 'authorizer')
    causes.push(...validateExpression(messageExpression, inner, ['string'], `${at}.messageExpression`))
  }
  if (message !== '' && message.trim() === '')
    causes.push(invalidValue(`${at}.message`, message, 'must be non-empty if specified'))
  else if (/[\n\r]/.test(message.trim()))
    causes.push(invalidValue(`${at}.message`, message, 'must not contain line breaks'))
  const reason = validation.reason
  if (typeof reason === 'string' && !reasons.includes(reason))
    causes.push(notSupported(`${at}.reason`, reason, reasons))
  return causes
}

const validateAuditAnnotations = (
  spec: Decoded<ValidatingAdmissionPolicySpec>,
  scope: ExpressionScope,
  name: string,
): StatusCause[] => {
  const at = 'spec.auditAnnotations'
  const list = items(spec.auditAnnotations)
  const keys = new Set<string>()
  return [
    ...(list.length > auditAnnotationsMax
      ? [invalidValue(at, list, `must not have more than ${auditAnnotationsMax} auditAnnotations`)]
      : []),
    ...list.flatMap((annotation, index) => {
      const place = `${at}[${index}]`
      const { key = '', valueExpression: given = '' } = annotation
      const expression = given.trim()
      const field = `${place}.valueExpression`
      const causes = byRule(qualifiedName, `${name}/${key}`, `${place}.key`)
      if (expression === '') causes.push(required(field, 'valueExpression is not specified'))
      else if (expression.length > valueExpressionBytesMax)
        causes.push(required(field, `must not exceed ${valueExpressionBytesMax} bytes in length`))
      else causes.push(...validateExpression(expression, scope, ['string', 'null_type'], field, given))
      if (keys.has(key)) causes.push(duplicate(`${place}.key`, key))
      keys.add(key)
      return causes
    }),
  ]
}

const validateFailurePolicy = (policy: string | undefined): StatusCause[] =>
  policy === undefined
    ? [required('spec.failurePolicy')]
    : failurePolicies.includes(policy)
      ? []
      : [notSupported('spec.failurePolicy', policy, failurePolicies)]

/** What both kinds of policies have in common. */
type PolicySpec = Decoded<Pick<ValidatingAdmissionPolicySpec, 'matchConstraints' | 'paramKind' | 'variables'>>

const validateConstraints = (spec: PolicySpec): StatusCause[] => {
  const at = 'spec.matchConstraints'
  const match = spec.matchConstraints
  if (!match) return [required(at)]
  return [
    ...validateMatchResources(match, at),
    ...(items(match.resourceRules).length === 0 ? [required(`${at}.resourceRules`)] : []),
  ]
}

const scopeOf = (spec: PolicySpec): ExpressionScope =>
  spec.paramKind ? parameterScope : requestScope

/** A ValidatingAdmissionPolicy. */
export const validateAdmissionPolicy = (spec: Decoded<ValidatingAdmissionPolicySpec>, name: string): StatusCause[] => {
  const scope = scopeOf(spec)
  const variables = validateVariables(spec, scope)
  const nothing = 'validations or auditAnnotations must contain at least one item'
  const [validations, annotations] = [items(spec.validations), items(spec.auditAnnotations)]
  return [
    ...validateFailurePolicy(spec.failurePolicy),
    ...validateParamKind(spec.paramKind, 'spec.paramKind'),
    ...validateConstraints(spec),
    ...validateMatchConditions(spec.matchConditions, scope, 'spec.matchConditions'),
    ...variables.causes,
    ...(validations.length + annotations.length === 0
      ? [required('spec.validations', nothing), required('spec.auditAnnotations', nothing)]
      : []),
    ...validations.flatMap((validation, index) =>
      validateValidation(validation, variables.scope, `spec.validations[${index}]`),
    ),
    ...validateAuditAnnotations(spec, variables.scope, name),
  ]
}

/** What is deleted cannot be changed. */
const validateMutableOperations = (
  rules: Decoded<NamedRuleWithOperations[]> | undefined,
  field: string,
): StatusCause[] =>
  items(rules).flatMap((rule) =>
    items(rule.operations)
      .filter((operation) => !mutableOperations.includes(operation))
      .map((operation) => notSupported(field, operation, mutableOperations)),
  )

const validateMutation = (mutation: Decoded<Mutation>, scope: ExpressionScope, at: string): StatusCause[] => {
  const { patchType, applyConfiguration, jsonPatch } = mutation
  if (!patchType) return [required(`${at}.patchType`)]
  if (!patchTypes.includes(patchType)) return [notSupported(`${at}.patchType`, patchType, patchTypes)]
  const isJsonPatch = patchType === 'JSONPatch'
  const [wanted, other] = isJsonPatch ? [jsonPatch, applyConfiguration] : [applyConfiguration, jsonPatch]
  const [field, otherField] = isJsonPatch ? ['jsonPatch', 'applyConfiguration'] : ['applyConfiguration', 'jsonPatch']
  const place = `${at}.${field}`
  const expression = (wanted?.expression ?? '').trim()
  return [
    ...(wanted === undefined
      ? [required(place, `must be specified when patchType is ${patchType}`)]
      : expression === ''
        ? [required(`${place}.expression`)]
        : validateExpression(expression, scope, [isJsonPatch ? 'list(JSONPatch)' : 'Object'], `${place}.expression`)),
    ...(other === undefined
      ? []
      : [invalidValue(`${at}.${otherField}`, `{${otherField}}`, `must not be specified when patchType is ${patchType}`)]),
  ]
}

/** A MutatingAdmissionPolicy. */
export const validateMutatingPolicy = (spec: Decoded<MutatingAdmissionPolicySpec>): StatusCause[] => {
  const scope = scopeOf(spec)
  const variables = validateVariables(spec, scope)
  const mutations = items(spec.mutations)
  const { reinvocationPolicy } = spec
  return [
    ...validateFailurePolicy(spec.failurePolicy),
    ...validateParamKind(spec.paramKind, 'spec.paramKind'),
    ...validateConstraints(spec),
    ...validateMutableOperations(spec.matchConstraints?.resourceRules, 'spec.matchConstraints.resourceRules.operations'),
    ...validateMatchConditions(spec.matchConditions, scope, 'spec.matchConditions'),
    ...variables.causes,
    ...(mutations.length === 0 ? [required('spec.mutations', 'mutations must contain at least one item')] : []),
    ...mutations.flatMap((mutation, index) => validateMutation(mutation, variables.scope, `spec.mutations[${index}]`)),
    ...(!reinvocationPolicy
      ? [required('spec.reinvocationPolicy')]
      : reinvocationPolicies.includes(reinvocationPolicy)
        ? []
        : [notSupported('spec.reinvocationPolicy', reinvocationPolicy, reinvocationPolicies)]),
  ]
}

/** A MutatingAdmissionPolicyBinding. */
export const validateMutatingBinding = (spec: Decoded<MutatingAdmissionPolicyBindingSpec>): StatusCause[] => [
  ...(spec.policyName ? byRule(dns1123Subdomain, spec.policyName, 'spec.policyName') : [required('spec.policyName')]),
  ...validateParamRef(spec.paramRef, 'spec.paramRef'),
  ...validateMatchResources(spec.matchResources, 'spec.matchResources'),
  ...validateMutableOperations(spec.matchResources?.resourceRules, 'spec.matchResources.resourceRules.operations'),
]

const validateParamRef = (reference: Decoded<ParamRef> | undefined, field: string): StatusCause[] => {
  if (!reference) return []
  const { name, selector, parameterNotFoundAction: action } = reference
  const causes: StatusCause[] = name ? byRule(pathSegment, name, `${field}.name`) : []
  const exclusive = 'name and selector are mutually exclusive'
  if (name && selector) causes.push(forbiddenField(`${field}.name`, exclusive))
  if (selector) causes.push(...validateLabelSelector(selector, `${field}.selector`))
  if (name && selector) causes.push(forbiddenField(`${field}.selector`, exclusive))
  if (!name && !selector) causes.push(required(field, 'one of name or selector must be specified'))
  const at = `${field}.parameterNotFoundAction`
  if (!action) causes.push(required(at))
  else if (!notFoundActions.includes(action)) causes.push(notSupported(at, action, notFoundActions))
  return causes
}

const validateActions = (list: readonly string[], field: string): StatusCause[] => {
  const causes = list.flatMap((action, index) => [
    ...(actions.includes(action) ? [] : [notSupported(`${field}[${index}]`, action, actions)]),
    ...(list.indexOf(action) < index ? [duplicate(`${field}[${index}]`, action)] : []),
  ])
  if (list.includes('Deny') && list.includes('Warn'))
    causes.push(
      invalidValue(
        field,
        list,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    )
  return list.length > 0 ? causes : [...causes, required(field, 'at least one validation action is required')]
}

/** A ValidatingAdmissionPolicyBinding. */
export const validatePolicyBinding = (spec: Decoded<ValidatingAdmissionPolicyBindingSpec>): StatusCause[] => [
  ...(spec.policyName ? byRule(dns1123Subdomain, spec.policyName, 'spec.policyName') : [required('spec.policyName')]),
  ...validateParamRef(spec.paramRef, 'spec.paramRef'),
  ...validateMatchResources(spec.matchResources, 'spec.matchResources'),
  ...validateActions(items(spec.validationActions), 'spec.validationActions'),
]
