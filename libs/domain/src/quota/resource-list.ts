// Amounts of resources by name, exact, as k8s.io/apiserver/pkg/quota/v1 adds and compares them.
import {
  addQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityOf,
  subtractQuantities,
} from '@shiplog/api/quantity'

export type ResourceList = ReadonlyMap<string, Quantity>

export const one: Quantity = quantityOf(1)
export const zero: Quantity = quantityOf(0)

/** Reads a ResourceList as the API has it. */
export const readList = (list: Readonly<Record<string, string | number>> | undefined): ResourceList =>
  new Map(Object.entries(list ?? {}).map(([name, quantity]) => [name, parseQuantity(quantity)]))

export const writeList = (list: ResourceList): Record<string, string> =>
  Object.fromEntries([...list].map(([name, quantity]) => [name, formatQuantity(quantity)]))

/** The sum, with the names of both. */
export function add(left: ResourceList, right: ResourceList): ResourceList {
  const sum = new Map(left)
  for (const [name, quantity] of right) {
    const before = sum.get(name)
    sum.set(name, before ? addQuantities(before, quantity) : quantity)
  }
  return sum
}

/** The larger of each. */
export function max(left: ResourceList, right: ResourceList): ResourceList {
  const largest = new Map(left)
  for (const [name, quantity] of right) {
    const before = largest.get(name)
    if (!before || quantity.nano > before.nano) largest.set(name, quantity)
  }
  return largest
}

/** What `left` has more than `right`; never below zero. */
export function excess(left: ResourceList, right: ResourceList): ResourceList {
  const rest = new Map<string, Quantity>()
  for (const [name, quantity] of left) {
    const difference = subtractQuantities(quantity, right.get(name) ?? zero)
    rest.set(name, difference.nano < 0n ? { ...difference, nano: 0n } : difference)
  }
  return rest
}

export const pick = (list: ResourceList, isWanted: (name: string, quantity: Quantity) => boolean): ResourceList =>
  new Map([...list].filter(([name, quantity]) => isWanted(name, quantity)))

/** `pods=1,requests.cpu=500m`, by name: as upstream words it in refusals. */
export const printList = (list: ResourceList): string =>
  [...list.keys()]
    .toSorted()
    .map((name) => `${name}=${formatQuantity(list.get(name)!)}`)
    .join(',')
