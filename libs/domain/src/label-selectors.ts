// What the rules of kinds ask of LabelSelector objects, beyond what libs/api/src/selectors.ts has.
import type { LabelSelector } from '@shiplog/api/generated/types/meta-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { entries, items } from './fields.ts'

/** True when the selector has no requirement at all (and so selects everything). */
export const isEmptySelector = (selector: Decoded<LabelSelector>): boolean =>
  entries(selector.matchLabels).length === 0 && items(selector.matchExpressions).length === 0
