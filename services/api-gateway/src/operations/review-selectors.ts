// What a review says that a list or watch would be narrowed to: the rules for writing it, and what the authorizer makes of it.
// Parts that this version does not know are left out, which asks for more and so can only be refused more.
import { forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import type {
  FieldSelectorAttributes,
  LabelSelectorAttributes,
  ResourceAttributes,
} from '@shiplog/api/generated/types/authorization-v1'
import { type FieldRequirement, labelKeyProblems, type LabelRequirement, labelValueProblems } from '@shiplog/api/selectors'
import type { StatusCause } from '@shiplog/api/status'
import { type AskedSelectors, readFields, readLabels } from '../access/selectors.ts'

type Selector = FieldSelectorAttributes | LabelSelectorAttributes
type Requirement = NonNullable<Selector['requirements']>[number]

export const reviewSelectorCauses = ({ fieldSelector, labelSelector }: ResourceAttributes, path: string): StatusCause[] => [
  ...(fieldSelector ? causesOf(fieldSelector, `${path}.fieldSelector`, fieldKeyCauses) : []),
  ...(labelSelector ? causesOf(labelSelector, `${path}.labelSelector`, labelCauses) : []),
]

function causesOf(
  { rawSelector = '', requirements = [] }: Selector,
  path: string,
  more: (requirement: Requirement, path: string) => StatusCause[],
): StatusCause[] {
  const causes: StatusCause[] = []
  if (rawSelector !== '' && requirements.length > 0) {
    causes.push(invalidValue(`${path}.rawSelector`, rawSelector, 'may not specified at the same time as requirements'))
  }
  if (rawSelector === '' && requirements.length === 0) {
    causes.push(required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`))
  }
  for (const [index, requirement] of requirements.entries()) {
    const at = `${path}.requirements[${index}]`
    causes.push(...more(requirement, at), ...valuesCauses(requirement, at))
  }
  return causes
}

function valuesCauses({ operator, values = [] }: Requirement, path: string): StatusCause[] {
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    return [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
    return [forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
  return []
}

const fieldKeyCauses = ({ key }: Requirement, path: string): StatusCause[] =>
  key ? [] : [required(`${path}.key`, 'must be specified')]

const labelCauses = ({ key = '', values = [] }: Requirement, path: string): StatusCause[] => [
  ...labelKeyProblems(key).map((why) => invalidValue(`${path}.key`, key, why)),
  ...values.flatMap((value, index) => labelValueProblems(value).map((why) => invalidValue(`${path}.values[${index}]`, value, why))),
]

/** Undefined when nothing is selected. */
export function reviewedSelectors({ fieldSelector, labelSelector }: ResourceAttributes): AskedSelectors | undefined {
  if (!fieldSelector && !labelSelector) return undefined
  const fields = fieldSelector?.rawSelector
    ? readFields(fieldSelector.rawSelector)
    : (fieldSelector?.requirements ?? []).flatMap(fieldRequirement)
  const labels = labelSelector?.rawSelector
    ? readLabels(labelSelector.rawSelector)
    : (labelSelector?.requirements ?? []).flatMap(labelRequirement)
  return { fields, labels }
}

function fieldRequirement({ key, operator, values = [] }: Requirement): FieldRequirement[] {
  const [value, ...more] = values
  if (value === undefined || more.length > 0) return []
  if (operator === 'In') return [{ field: key, operator: '=', value }]
  return operator === 'NotIn' ? [{ field: key, operator: '!=', value }] : []
}

const labelOperators: Readonly<Record<string, LabelRequirement['operator']>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
}

function labelRequirement({ key, operator, values = [] }: Requirement): LabelRequirement[] {
  const known = labelOperators[operator]
  return known ? [{ key, operator: known, values }] : []
}
