// LabelSelector values (matchLabels, matchExpressions): are they well formed, and what do they select.
import { forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, entries, items } from './fields.ts'
import { validateLabels } from './metadata-validation.ts'
import { labelValue, qualifiedName } from './names.ts'

/** The causes for a selector, in upstream's sentences. */
export const validateLabelSelector = (selector: JsonObject | undefined, field: string): StatusCause[] => {
  if (!selector) return []
  const causes = validateLabels(selector['matchLabels'], `${field}.matchLabels`)
  items(selector['matchExpressions']).forEach((expression: JsonObject, index) => {
    const at = `${field}.matchExpressions[${index}]`
    const values = items(expression['values'])
    const operator = expression['operator']
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0)
        causes.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        causes.push(
          forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        )
    } else causes.push(invalidValue(`${at}.operator`, operator ?? '', 'not a valid selector operator'))
    causes.push(...byRule(qualifiedName, String(expression['key'] ?? ''), `${at}.key`))
    values.forEach((value, position) => {
      if (typeof value === 'string') causes.push(...byRule(labelValue, value, `${at}.values[${position}]`))
    })
  })
  return causes
}

/** True when the selector has no requirement at all (and so selects everything). */
export const isEmptySelector = (selector: JsonObject): boolean =>
  entries(selector['matchLabels']).length === 0 && items(selector['matchExpressions']).length === 0

/** Whether `labels` satisfy the selector. An absent selector selects nothing, an empty one everything. */
export const selectorMatches = (
  selector: JsonObject | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean => {
  if (!selector) return false
  for (const [key, value] of entries(selector['matchLabels'])) if (labels?.[key] !== value) return false
  return items(selector['matchExpressions']).every((expression: JsonObject) => {
    const value = labels?.[expression['key']]
    const values = items(expression['values'])
    switch (expression['operator']) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
      default:
        return false
    }
  })
}

/** `app=web,tier in (a,b)`: the selector as text, as Scale's status.selector holds it. */
export const selectorText = (selector: JsonObject | undefined): string => {
  if (!selector) return ''
  const requirements: { key: string; text: string }[] = []
  for (const [key, value] of entries(selector['matchLabels'])) requirements.push({ key, text: `${key}=${value}` })
  for (const expression of items(selector['matchExpressions'])) {
    const key = String(expression.key)
    const list = `(${[...items(expression.values)].sort().join(',')})`
    const texts: Readonly<Record<string, string>> = {
      In: `${key} in ${list}`,
      NotIn: `${key} notin ${list}`,
      Exists: key,
      DoesNotExist: `!${key}`,
    }
    requirements.push({ key, text: texts[expression.operator] ?? key })
  }
  return requirements
    .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
    .map((requirement) => requirement.text)
    .join(',')
}
