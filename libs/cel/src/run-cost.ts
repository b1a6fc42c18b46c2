// What a call costs at run time, in the units of the language: about 50 ns each. Numbers as in cel-go's runtimecost.go and
// Kubernetes' library/cost.go.
import type { NamedFormat } from './functions/formats.ts'
import { costSize, isList, isMap, itemsOf, Opaque, type Value } from './values.ts'

export const listCost = 10
export const mapCost = 30
export const messageCost = 40
/** Asking an authorizer is priced as what it is: a look at all the roles. */
export const authorizationCost = 350_000
export const traversal = 0.1
export const patternFactor = 0.25

type Cost = (args: readonly Value[], result: Value) => number

const size = (value: Value | undefined): number => (value === undefined ? 1 : costSize(value))

/** The cost of going through all of a value. */
const traversalOf = (value: Value | undefined): number => {
  if (typeof value === 'string' || value instanceof Uint8Array) return Math.trunc(value.length * traversal)
  if (value === undefined || typeof value !== 'object' || value === null) return 1
  if (isList(value)) return itemsOf(value).reduce<number>((sum, item) => sum + traversalOf(item), 0)
  if (!isMap(value)) return 1
  let sum = 0
  for (const key of value.keys()) sum += traversalOf(key) + traversalOf(value.get(key))
  return sum
}

const text: Cost = ([given]) => Math.ceil(size(given) * traversal)
const twice: Cost = ([given]) => Math.ceil(size(given) * 2 * traversal)
const through: Cost = ([given]) => traversalOf(given)
const nominal: Cost = () => 1
const smaller: Cost = ([a, b]) => (a instanceof Opaque ? 1 : Math.ceil(Math.min(size(a), size(b)) * traversal))
const matching: Cost = ([given, pattern]) =>
  Math.ceil((1 + size(given)) * traversal) * Math.ceil(size(pattern) * patternFactor)
const output: Cost = (_, result) => 1 + listCost + size(result)

const contains: Cost = ([cidr, other]) =>
  Math.ceil(2 * size(cidr) * traversal) + (typeof other === 'string' ? Math.ceil(size(other) * traversal) : 0)

const added: Cost = ([a, b]) =>
  typeof a === 'string' || a instanceof Uint8Array ? Math.ceil((size(a) + size(b)) * traversal) : 1

const ordering: Cost = (args, result) =>
  typeof args[0] === 'string' || args[0] instanceof Uint8Array ? smaller(args, result) : 1

const validation: Cost = ([format, given]) =>
  Math.ceil((1 + size(given)) * traversal) *
  Math.ceil(((format as Opaque).held as NamedFormat).size * patternFactor)

const costs: ReadonlyMap<string, Cost> = new Map<string, Cost>([
  ...['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'].map((name): [string, Cost] => [name, through]),
  ...['url', 'jsonpatch.escapeKey', 'lowerAscii', 'upperAscii', 'substring', 'trim', 'cidr', 'isIP', 'isCIDR'].map((name): [string, Cost] => [name, text]),
  ...['quantity', 'isQuantity', 'semver', 'isSemver', 'startsWith', 'endsWith', 'strings.quote'].map((name): [string, Cost] => [name, text]),
  ['replace', twice],
  ['split', twice],
  ['ip.isCanonical', twice],
  ['join', (_, result) => Math.ceil(size(result) * 2 * traversal)],
  ['find', matching],
  ['findAll', matching],
  ['matches', matching],
  ['ip', (args, result) => (args[0] instanceof Opaque ? 1 : text(args, result))],
  ['containsIP', contains],
  ['containsCIDR', (args, result) => contains(args, result) + Math.ceil(size(args[0]) * traversal) + 1],
  ['check', () => authorizationCost],
  ['validate', validation],
  ['_==_', smaller],
  ['_!=_', smaller],
  ...['_<_', '_<=_', '_>_', '_>=_'].map((name): [string, Cost] => [name, ordering]),
  ['@in', ([, given]) => (given !== undefined && typeof given === 'object' && given !== null && isMap(given) ? 1 : size(given))],
  ['_+_', added],
  ['contains', ([a, b]) => Math.ceil(size(a) * traversal) * Math.ceil(size(b) * traversal)],
  ['string', (args, result) => (args[0] instanceof Uint8Array ? text(args, result) : 1)],
  ['bytes', (args, result) => (typeof args[0] === 'string' ? text(args, result) : 1)],
  ['format', text],
  ...['slice', 'flatten', 'lists.range', 'reverse', 'distinct', 'sort', '@sortByAssociatedKeys'].map((name): [string, Cost] => [name, output]),
])

export const costOf = (name: string): Cost => costs.get(name) ?? nominal
