// Roles and their bindings: who may do what. Names only have to fit into a URL, and a binding never changes its role.
import { invalidValue, notSupported, required } from '@shiplog/api/field-errors'
import type {
  ClusterRole,
  ClusterRoleBinding,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '@shiplog/api/generated/types/rbac-v1'
import { validateLabelSelector } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { items, requiredName, section, semanticEqual } from '../fields.ts'
import { dns1123Subdomain, pathSegment } from '../names.ts'
import { forTwin, type Strategy } from '../strategy.ts'

/** Roles and ClusterRoles have the same rules, their bindings the same fields. */
type AnyRole = Pick<Draft<Role>, 'rules'>
type Binding = Pick<Draft<RoleBinding>, 'roleRef' | 'subjects'>

const group = 'rbac.authorization.k8s.io'

const validateRules =
  (namespaced: boolean) =>
  (role: AnyRole): StatusCause[] =>
    items(role.rules).flatMap((rule, index) => {
      const at = `rules[${index}]`
      const causes: StatusCause[] = []
      if (items(rule.verbs).length === 0) causes.push(required(`${at}.verbs`, 'verbs must contain at least one value'))
      if (items(rule.nonResourceURLs).length > 0) {
        if (namespaced)
          causes.push(
            invalidValue(
              `${at}.nonResourceURLs`,
              rule.nonResourceURLs,
              'namespaced rules cannot apply to non-resource URLs',
            ),
          )
        if (items(rule.apiGroups).length + items(rule.resources).length + items(rule.resourceNames).length > 0)
          causes.push(
            invalidValue(
              `${at}.nonResourceURLs`,
              rule.nonResourceURLs,
              'rules cannot apply to both regular resources and non-resource URLs',
            ),
          )
        return causes
      }
      if (items(rule.apiGroups).length === 0)
        causes.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'))
      if (items(rule.resources).length === 0)
        causes.push(required(`${at}.resources`, 'resource rules must supply at least one resource'))
      return causes
    })

const setBindingDefaults = (draft: Binding): void => {
  const roleRef = section(draft, 'roleRef')
  if (!roleRef.apiGroup) roleRef.apiGroup = group
  for (const subject of items(draft.subjects)) {
    if (subject.apiGroup) continue
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup = group
    else delete subject.apiGroup
  }
}

const validateSubject = (subject: Decoded<Subject>, field: string, namespaced: boolean): StatusCause[] => {
  const causes: StatusCause[] = []
  if (!subject.name) causes.push(required(`${field}.name`))
  const apiGroup = subject.apiGroup ?? ''
  if (subject.kind === 'ServiceAccount') {
    if (subject.name) causes.push(...requiredName(dns1123Subdomain, subject.name, `${field}.name`))
    if (apiGroup !== '') causes.push(notSupported(`${field}.apiGroup`, apiGroup, ['']))
    if (!namespaced && !subject.namespace) causes.push(required(`${field}.namespace`))
  } else if (subject.kind === 'User' || subject.kind === 'Group') {
    if (apiGroup !== group) causes.push(notSupported(`${field}.apiGroup`, apiGroup, [group]))
  } else causes.push(notSupported(`${field}.kind`, subject.kind ?? '', ['ServiceAccount', 'User', 'Group']))
  return causes
}

const validateBinding =
  (namespaced: boolean) =>
  (binding: Binding): StatusCause[] => {
    const roleRef = binding.roleRef ?? {}
    const causes: StatusCause[] = []
    if (roleRef.apiGroup !== group) causes.push(notSupported('roleRef.apiGroup', roleRef.apiGroup ?? '', [group]))
    const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
    if (!kinds.includes(roleRef.kind ?? '')) causes.push(notSupported('roleRef.kind', roleRef.kind ?? '', kinds))
    causes.push(...requiredName(pathSegment, roleRef.name, 'roleRef.name'))
    items(binding.subjects).forEach((subject, index) => {
      causes.push(...validateSubject(subject, `subjects[${index}]`, namespaced))
    })
    return causes
  }

const validateBindingUpdate = (next: Binding, before: Binding): StatusCause[] =>
  semanticEqual(next.roleRef, before.roleRef)
    ? []
    : [invalidValue('roleRef', goReference(next.roleRef ?? {}), 'cannot change roleRef')]

/** As Go prints it. */
const goReference = ({ apiGroup = '', kind = '', name = '' }: Decoded<RoleRef>): object => ({
  APIGroup: apiGroup,
  Kind: kind,
  Name: name,
})

const fillRules = (role: AnyRole): void => {
  if (items(role.rules).length === 0) (role as { rules: unknown }).rules = null
}

const roles = (namespaced: boolean): Strategy<Role> => ({
  hasGeneration: false,
  allowCreateOnUpdate: true,
  validateName: pathSegment,
  // Upstream writes rules although nobody set them.
  prepareForCreate: fillRules,
  prepareForUpdate: fillRules,
  validate: validateRules(namespaced),
})

const bindings = (namespaced: boolean): Strategy<RoleBinding> => ({
  hasGeneration: false,
  allowCreateOnUpdate: true,
  validateName: pathSegment,
  setDefaults: setBindingDefaults,
  validate: validateBinding(namespaced),
  validateUpdate: validateBindingUpdate,
})

export const roleStrategy = roles(true)
export const clusterRoleStrategy: Strategy<ClusterRole> = {
  ...roles(false),
  validate: (role) => [
    ...items(role.aggregationRule?.clusterRoleSelectors).flatMap((selector, index) => {
      const at = `aggregationRule.clusterRoleSelectors[${index}]`
      const causes = validateLabelSelector(selector, at)
      return causes.length > 0 ? [...causes, invalidValue(at, null, 'invalid label selector.')] : []
    }),
    ...validateRules(false)(role),
    ...(role.aggregationRule && items(role.aggregationRule.clusterRoleSelectors).length === 0
      ? [
          required(
            'aggregationRule.clusterRoleSelectors',
            'at least one clusterRoleSelector required if aggregationRule is non-nil',
          ),
        ]
      : []),
  ],
}
export const roleBindingStrategy = bindings(true)
export const clusterRoleBindingStrategy = forTwin<ClusterRoleBinding>(bindings(false))
