// LimitRanges: bounds and defaults for the containers of a namespace.
import { invalidValue } from '@shiplog/api/field-errors'
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { StatusCause } from '@shiplog/api/status'
import { entries, fill, items, section } from '../fields.ts'
import { compareQuantities } from '../quantities.ts'
import type { Strategy } from '../strategy.ts'

/** For containers: what has a maximum has a default, what has a default or a minimum has a default request. */
const setItemDefaults = (item: JsonObject): void => {
  if (item['type'] !== 'Container') return
  for (const [name, quantity] of entries(item['max'])) fill(section(item, 'default'), name, quantity)
  for (const [name, quantity] of entries(item['default'])) fill(section(item, 'defaultRequest'), name, quantity)
  for (const [name, quantity] of entries(item['min'])) fill(section(item, 'defaultRequest'), name, quantity)
}

const validate = (range: KubeObject): StatusCause[] =>
  items(range['spec']?.limits).flatMap((item: JsonObject, index) => {
    const at = `spec.limits[${index}]`
    const pairs: readonly (readonly [string, string])[] = [
      ['min', 'max'],
      ['min', 'defaultRequest'],
      ['min', 'default'],
      ['defaultRequest', 'max'],
      ['defaultRequest', 'default'],
      ['default', 'max'],
    ]
    const words: Readonly<Record<string, string>> = { defaultRequest: 'default request', default: 'default' }
    return pairs.flatMap(([low, high]) =>
      entries(item[low]).flatMap(([name, quantity]) => {
        const bound = item[high]?.[name]
        const order = compareQuantities(quantity, bound)
        if (order === undefined || order <= 0) return []
        return [
          invalidValue(
            `${at}.${low}[${name}]`,
            String(quantity),
            `${words[low] ?? low} value ${quantity} is greater than ${words[high] ?? high} value ${bound}`,
          ),
        ]
      }),
    )
  })

export const limitRangeStrategy: Strategy = {
  hasGeneration: false,
  allowCreateOnUpdate: true,
  setDefaults: (draft) => {
    for (const item of items(draft['spec']?.limits)) setItemDefaults(item)
  },
  validate,
}
