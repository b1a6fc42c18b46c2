// What the rules of kinds ask of LabelSelector objects, beyond what libs/api/src/selectors.ts has.
import type { JsonObject } from '@shiplog/api/kube-object'
import { entries, items } from './fields.ts'

/** True when the selector has no requirement at all (and so selects everything). */
export const isEmptySelector = (selector: JsonObject): boolean =>
  entries(selector['matchLabels']).length === 0 && items(selector['matchExpressions']).length === 0
