// Comparing quantities that may not be ones: a bad quantity is the decoder's to refuse, here it just has no order.
import { parseQuantity, quantityProblem } from '@shiplog/api/quantity'

/** The quantity in billionths; undefined when the text is no quantity. */
export const nanosOf = (quantity: unknown): bigint | undefined =>
  (typeof quantity === 'string' || typeof quantity === 'number') && quantityProblem(quantity) === undefined
    ? parseQuantity(quantity).nano
    : undefined

/** Negative, zero or positive as `left` is smaller, equal or larger; undefined when one is no quantity. */
export const compareQuantities = (left: unknown, right: unknown): number | undefined => {
  if (left === right && left !== undefined) return 0
  const a = nanosOf(left)
  const b = nanosOf(right)
  if (a === undefined || b === undefined) return undefined
  return a < b ? -1 : a > b ? 1 : 0
}
