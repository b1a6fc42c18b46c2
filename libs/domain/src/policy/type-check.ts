// What is wrong with the expressions of a policy for the kinds that it is about. Nothing is refused for it: the same policy may
// be about kinds that differ. k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
import type {
  ExpressionWarning,
  NamedRuleWithOperations,
  ValidatingAdmissionPolicySpec,
} from '@shiplog/api/generated/types/admissionregistration-v1'
import { dyn, type Type } from '@shiplog/cel/types'
import { checkExpression, type ExpressionScope, requestScope, withComposed } from '../expressions/expression-scope.ts'

export interface TypedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly type: Type
}

/** The kinds that there are. */
export interface KnownTypes {
  ofResource(group: string, version: string, resource: string): TypedKind | undefined
  ofKind(group: string, version: string, kind: string): TypedKind | undefined
}

const kindsMax = 10

export function typeWarnings(spec: ValidatingAdmissionPolicySpec, known: KnownTypes): readonly ExpressionWarning[] {
  const kinds = kindsOf(spec.matchConstraints?.resourceRules ?? [], known)
  const warning = (fieldRef: string, expression: string | undefined): ExpressionWarning[] => {
    if (!expression) return []
    const found = kinds.flatMap((kind) => problemWith(spec, kind, known, expression))
    return found.length === 0 ? [] : [{ fieldRef, warning: found.join('\n') }]
  }
  return (spec.validations ?? []).flatMap(({ expression, messageExpression }, index) => [
    ...warning(`spec.validations[${index}].expression`, expression),
    ...warning(`spec.validations[${index}].messageExpression`, messageExpression),
  ])
}

/** Kinds that rules name without wildcards, in the order of their names. */
function kindsOf(rules: readonly NamedRuleWithOperations[], known: KnownTypes): readonly TypedKind[] {
  const found = new Map<string, TypedKind>()
  for (const { apiGroups = [], apiVersions = [], resources = [] } of rules) {
    if ([...apiGroups, ...apiVersions].some((name) => name.includes('*'))) continue
    let count = 0
    for (const group of apiGroups.toSorted())
      for (const version of apiVersions.toSorted())
        for (const resource of resources.filter((name) => !/[*/]/.test(name)).toSorted()) {
          const kind = count < kindsMax ? known.ofResource(group, version, resource) : undefined
          if (!kind) continue
          found.set(nameOf(kind), kind)
          count++
        }
  }
  return [...found.values()].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
}

const nameOf = ({ group, version, kind }: TypedKind): string => `${group}/${version}, Kind=${kind}`
const sortKey = ({ group, version, kind }: TypedKind): string => [group, version, kind].join('\0')

function problemWith(
  spec: ValidatingAdmissionPolicySpec,
  kind: TypedKind,
  known: KnownTypes,
  expression: string,
): readonly string[] {
  const base = scopeFor(spec, kind, known)
  const variables = new Map<string, Type>()
  for (const variable of spec.variables ?? []) {
    const checked = checkExpression(variable.expression, withComposed(base, new Map(variables)))
    variables.set(variable.name, 'problem' in checked ? dyn : checked.type)
  }
  const checked = checkExpression(expression, withComposed(base, variables))
  return 'problem' in checked ? [`${nameOf(kind)}: ${checked.problem}\n`] : []
}

function scopeFor({ paramKind }: ValidatingAdmissionPolicySpec, { type }: TypedKind, known: KnownTypes): ExpressionScope {
  const scope = new Map([...requestScope, ['object', type], ['oldObject', type]] as const)
  if (!paramKind) return scope
  const [first = '', second] = (paramKind.apiVersion ?? '').split('/')
  const [group, version] = second === undefined ? ['', first] : [first, second]
  return scope.set('params', known.ofKind(group, version, paramKind.kind ?? '')?.type ?? dyn)
}



