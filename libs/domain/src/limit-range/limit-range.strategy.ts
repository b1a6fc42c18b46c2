// LimitRanges: bounds and defaults for the containers of a namespace.
import { duplicate, forbiddenField, invalidValue, required } from '@shiplog/api/field-errors'
import type { LimitRange, LimitRangeItem } from '@shiplog/api/generated/types/core-v1'
import type { StatusCause } from '@shiplog/api/status'
import type { Decoded, Draft } from '@shiplog/api/decoded'
import { byRule, entries, fill, items, section } from '../fields.ts'
import { qualifiedName } from '../names.ts'
import { isStandardResource } from '../resource-quota/standard-resources.ts'
import { validateContainerResourceName } from '../pod/resource-validation.ts'
import { compareQuantities, nanosOf } from '../quantities.ts'
import type { Strategy } from '../strategy.ts'

/** For containers: what has a maximum has a default, what has a default or a minimum has a default request. */
const setItemDefaults = (item: Decoded<LimitRangeItem>): void => {
  if (item.type !== 'Container') return
  for (const [name, quantity] of entries(item.max)) fill(section(item, 'default'), name, quantity)
  for (const [name, quantity] of entries(item.default)) fill(section(item, 'defaultRequest'), name, quantity)
  for (const [name, quantity] of entries(item.min)) fill(section(item, 'defaultRequest'), name, quantity)
}

const standardTypes = ['Pod', 'Container', 'PersistentVolumeClaim']
const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const

const validateType = (type: string, field: string): StatusCause[] => {
  const causes = byRule(qualifiedName, type, field)
  if (causes.length > 0 || type.includes('/') || standardTypes.includes(type)) return causes
  return [invalidValue(field, type, 'must be a standard limit type or fully qualified')]
}

type List = (typeof lists)[number]

/** Which of two lists may not exceed which, what is told of it, and which value is shown. */
const orders: readonly (readonly [low: List, high: List, at: List, shown: List, told: string])[] = [
  ['min', 'max', 'min', 'min', 'min value % is greater than max value %'],
  ['min', 'defaultRequest', 'defaultRequest', 'defaultRequest', 'min value % is greater than default request value %'],
  ['defaultRequest', 'max', 'defaultRequest', 'defaultRequest', 'default request value % is greater than max value %'],
  [
    ...(['defaultRequest', 'default', 'defaultRequest', 'defaultRequest'] as const),
    'default request value % is greater than default limit value %',
  ],
  ['min', 'default', 'default', 'min', 'min value % is greater than default value %'],
  ['default', 'max', 'default', 'max', 'default value % is greater than max value %'],
]

const validateRatio = (item: Decoded<LimitRangeItem>, name: string, field: string): StatusCause[] => {
  const causes: StatusCause[] = []
  const text = item.maxLimitRequestRatio?.[name]
  const ratio = nanosOf(text)
  if (ratio === undefined) return causes
  if (ratio < 1_000_000_000n) causes.push(invalidValue(field, String(text), `ratio ${text} is less than 1`))
  const [low, high] = [nanosOf(item.min?.[name]), nanosOf(item.max?.[name])]
  if (low === undefined || high === undefined) return causes
  const bound = Number(high) / Number(low)
  if (Number(ratio) / 1e9 > bound)
    causes.push(invalidValue(field, String(text), `ratio ${text} is greater than max/min = ${goFloat(bound)}`))
  return causes
}

/** As Go's %f. */
const goFloat = (value: number): string =>
  Number.isFinite(value) ? value.toFixed(6) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'

/** A name without a domain is one of those that Kubernetes itself knows. */
const validateResourceName = (name: string, field: string): StatusCause[] => {
  const causes = byRule(qualifiedName, name, field)
  if (causes.length > 0 || name.includes('/') || name === 'storage' || isStandardResource(name)) return causes
  return [invalidValue(field, name, 'must be a standard resource type or fully qualified')]
}

/** What cannot be promised twice: to ask for it is to be limited to it. */
const validateFixed = (item: Decoded<LimitRangeItem>, name: string, at: string): StatusCause[] => {
  const [limit, request] = [item.default?.[name], item.defaultRequest?.[name]]
  const isFixed = name.startsWith('hugepages-') || (name.includes('/') && !name.includes('kubernetes.io/'))
  const order = compareQuantities(limit, request)
  return isFixed && order !== undefined && order !== 0
    ? [
        invalidValue(
          `${at}.defaultRequest[${name}]`,
          String(request),
          `default value ${limit} must equal to defaultRequest value ${request} in ${name}`,
        ),
      ]
    : []
}

const validateItem = (item: Decoded<LimitRangeItem>, at: string): StatusCause[] => {
  const type = item.type ?? ''
  const causes = validateType(type, `${at}.type`)
  const names = new Set<string>()
  for (const list of lists) {
    if (type === 'Pod' && (list === 'default' || list === 'defaultRequest')) {
      if (Object.keys(item[list] ?? {}).length > 0)
        causes.push(forbiddenField(`${at}.${list}`, "may not be specified when `type` is 'Pod'"))
      continue
    }
    for (const [name] of entries(item[list])) {
      const field = `${at}.${list}[${name}]`
      const isContainers = type === 'Pod' || type === 'Container'
      causes.push(...(isContainers ? validateContainerResourceName(name, field) : validateResourceName(name, field)))
      names.add(name)
    }
  }
  const hasStorage = [item.min, item.max].some((list) => list?.['storage'] !== undefined)
  if (type === 'PersistentVolumeClaim' && !hasStorage)
    causes.push(
      required(`${at}.limits`, 'either minimum or maximum storage value is required, but neither was provided'),
    )
  for (const name of names) {
    for (const [low, high, place, shown, told] of orders) {
      if (type === 'Pod' && [low, high].some((list) => list.startsWith('default'))) continue
      const [a, b] = [item[low]?.[name], item[high]?.[name]]
      const order = compareQuantities(a, b)
      if (order === undefined || order <= 0) continue
      const sentence = told.replace('%', String(a)).replace('%', String(b))
      causes.push(invalidValue(`${at}.${place}[${name}]`, String(item[shown]?.[name]), sentence))
    }
    causes.push(...validateFixed(item, name, at))
    causes.push(...validateRatio(item, name, `${at}.maxLimitRequestRatio[${name}]`))
  }
  return causes
}

const validate = (range: Draft<LimitRange>): StatusCause[] => {
  const seen = new Set<string>()
  return items(range.spec?.limits).flatMap((item, index) => {
    const at = `spec.limits[${index}]`
    const causes = validateItem(item, at)
    const type = item.type ?? ''
    if (seen.has(type)) causes.push(duplicate(`${at}.type`, type))
    seen.add(type)
    return causes
  })
}

export const limitRangeStrategy: Strategy<LimitRange> = {
  hasGeneration: false,
  allowCreateOnUpdate: true,
  setDefaults: (draft) => {
    for (const item of items(draft.spec?.limits)) setItemDefaults(item)
  },
  validatesAll: true,
  validate,
}
