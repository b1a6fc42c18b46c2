// Checked expressions as functions: compiled once, run often, and never longer than their cost allows.
import type { CallNode, ComprehensionNode, ListNode, MapNode, MessageNode, Node, SelectNode } from './ast.ts'
import { addressFunctions } from './functions/addresses.ts'
import { authorizerFunctions } from './functions/authorizer.ts'
import type { Functions, Work } from './functions/arguments.ts'
import { arithmeticFunctions } from './functions/arithmetic.ts'
import { collectionFunctions, index, optionalIndex } from './functions/collections.ts'
import { conversionFunctions, toText } from './functions/conversions.ts'
import { formatNamed, formatType } from './functions/formats.ts'
import { kubernetesFunctions } from './functions/kubernetes.ts'
import { textFunctions } from './functions/texts.ts'
import { timeFunctions } from './functions/times.ts'
import { spendSteps } from './meter.ts'
import { costOf, listCost, mapCost, messageCost } from './run-cost.ts'
import {
  charactersOf,
  compare,
  CostExceeded,
  equals,
  EvaluationError,
  isList,
  isMap,
  keyOf,
  listFrom,
  mapFrom,
  Message,
  none,
  noSuchOverload,
  Opaque,
  Optional,
  TypeValue,
  Uint,
  type ListValue,
  type MapValue,
  type Value,
} from './values.ts'

export interface Outcome {
  readonly value?: Value
  /** Why there is no value. */
  readonly error?: string
  readonly cost: number
}

export type Program = (variables: Readonly<Record<string, Value | undefined>>, costLimit: number) => Outcome

interface Run extends Work {
  readonly variables: Readonly<Record<string, Value | undefined>>
  /** Variables of loops; an accumulator may hold what went wrong. */
  readonly slots: (Value | EvaluationError)[]
  readonly limit: number
  cost: number
}

type Step = (run: Run) => Value

const functions: Functions = {
  ...arithmeticFunctions,
  ...conversionFunctions,
  ...textFunctions,
  ...timeFunctions,
  ...addressFunctions,
  ...kubernetesFunctions,
  ...collectionFunctions,
  ...authorizerFunctions,
  '_==_': ([a, b]) => equals(a!, b!),
  '_!=_': ([a, b]) => !equals(a!, b!),
  '_<_': ([a, b]) => compare(a!, b!) < 0,
  '_<=_': ([a, b]) => compare(a!, b!) <= 0,
  '_>_': ([a, b]) => compare(a!, b!) > 0,
  '_>=_': ([a, b]) => compare(a!, b!) >= 0,
  size: ([value]) => {
    if (typeof value === 'string') return BigInt(charactersOf(value))
    if (value instanceof Uint8Array) return BigInt(value.length)
    if (typeof value === 'object' && value !== null && (isList(value) || isMap(value))) return BigInt(value.size)
    throw noSuchOverload()
  },
}

interface Scope {
  readonly slots: ReadonlyMap<string, number>
  readonly next: number
  /** The accumulator that items are appended to in place. */
  readonly growing?: string | undefined
}

/** Compiles an expression that was checked. */
export const compileProgram = (node: Node): Program => {
  const step = compile(node, { slots: new Map(), next: 0 })
  return (variables, limit) => {
    const run: Run = { variables, slots: [], limit, cost: 0, patternSteps: 0 }
    try {
      return { value: step(run), cost: run.cost }
    } catch (error) {
      if (error instanceof EvaluationError || error instanceof CostExceeded)
        return { error: error.message, cost: error instanceof CostExceeded ? Math.max(run.cost, limit + 1) : run.cost }
      if (error instanceof RangeError) return { error: new CostExceeded().message, cost: limit + 1 }
      throw error
    }
  }
}

/** Steps of the meter that a unit of cost stands for. */
const stepsOfCost = 10

const charge = (run: Run, cost: number): void => {
  run.cost += cost
  spendSteps(cost * stepsOfCost)
  if (run.cost > run.limit) throw new CostExceeded()
}

const compile = (node: Node, scope: Scope): Step => {
  switch (node.kind) {
    case 'literal': {
      const value = literalValue(node.value)
      return () => value
    }
    case 'ident':
      return identStep(node, scope)
    case 'select':
      return selectStep(node, scope)
    case 'call':
      return callStep(node, scope)
    case 'list':
      return listStep(node, scope)
    case 'map':
      return mapStep(node, scope)
    case 'message':
      return messageStep(node, scope)
    case 'comprehension':
      return loopStep(node, scope)
  }
}

const literalValue = (value: Extract<Node, { kind: 'literal' }>['value']): Value =>
  typeof value === 'object' && value !== null && 'uint' in value ? new Uint(value.uint) : value

const identStep = (node: Extract<Node, { kind: 'ident' }>, scope: Scope): Step => {
  const { name, typeName } = node
  const slot = scope.slots.get(name)
  if (slot !== undefined)
    return (run) => {
      charge(run, 1)
      const value = run.slots[slot]!
      if (value instanceof EvaluationError) throw value
      return value
    }
  if (typeName !== undefined) {
    const value = new TypeValue(typeName)
    return () => value
  }
  return (run) => {
    charge(run, 1)
    const value = run.variables[name]
    if (value === undefined) throw new EvaluationError(`no such attribute(s): ${name}`)
    return value
  }
}

const fieldOf = (holder: Value, field: string): Value | undefined => {
  if (typeof holder === 'object' && holder !== null && isMap(holder)) return holder.get(field)
  if (holder instanceof Opaque && holder.fieldOf) return holder.fieldOf(field)
  // What holds nothing has no such field; nothing is wrong with asking.
  if (holder === null || typeof holder !== 'object') return undefined
  throw noSuchOverload()
}

/** A field of an object that is null is as if it were not there; an entry of a map is one, whatever it holds. */
const isThere = (holder: Value, field: string): boolean => {
  const value = fieldOf(holder, field)
  return value !== undefined && (value !== null || !isMap(holder as MapValue) || !(holder as MapValue).isObject)
}

const selectStep = (node: SelectNode, scope: Scope): Step => {
  const operand = compile(node.operand, scope)
  const { field } = node
  if (node.isTest)
    return (run) => {
      const holder = operand(run)
      const inside = holder instanceof Optional ? holder.value : holder
      return inside !== undefined && isThere(inside, field)
    }
  return (run) => {
    const holder = operand(run)
    charge(run, 1)
    if (holder instanceof Optional) return optionalField(holder, field)
    const value = fieldOf(holder, field)
    if (value === undefined) throw new EvaluationError(`no such key: ${field}`)
    return value
  }
}

const optionalField = (holder: Value, field: string): Value => {
  const inside = holder instanceof Optional ? holder.value : holder
  if (inside === undefined) return none
  const value = fieldOf(inside, field)
  return value === undefined ? none : new Optional(value)
}

const listStep = (node: ListNode, scope: Scope): Step => {
  const elements = node.elements.map((one) => compile(one, scope))
  const { maybe } = node
  return (run) => {
    const items = elements.map((element) => element(run))
    charge(run, listCost)
    return listFrom(maybe ? items.flatMap((item, index) => (maybe.has(index) ? heldIn(item) : [item])) : items)
  }
}

/** What an optional entry comes to: itself, or nothing. */
const heldIn = (value: Value): readonly Value[] => {
  if (!(value instanceof Optional)) throw noSuchOverload()
  return value.value === undefined ? [] : [value.value]
}

const messageStep = ({ name, fields, maybe }: MessageNode, scope: Scope): Step => {
  const steps = fields.map(({ name: field, value }) => [field, compile(value, scope)] as const)
  return (run) => {
    const made = new Map<string, Value>()
    for (const [index, [field, step]] of steps.entries()) {
      const value = step(run)
      for (const held of maybe?.has(index) ? heldIn(value) : [value]) made.set(field, held)
    }
    charge(run, messageCost)
    return new Message(name, made)
  }
}

const mapStep = (node: MapNode, scope: Scope): Step => {
  const entries = node.entries.map(([key, value]) => [compile(key, scope), compile(value, scope)] as const)
  const { maybe } = node
  return (run) => {
    const all = entries.map(([key, value]): [Value, Value] => [key(run), value(run)])
    const made = maybe
      ? all.flatMap(([key, value], index) => (maybe.has(index) ? heldIn(value) : [value]).map((held): [Value, Value] => [key, held]))
      : all
    charge(run, mapCost)
    const seen = new Set<string>()
    for (const [key] of made) {
      if (seen.has(keyOf(key))) throw new EvaluationError(`Failed with repeated key`)
      seen.add(keyOf(key))
    }
    return mapFrom(made)
  }
}

/** What is not a call of a function with all its arguments. */
const special: Readonly<Record<string, (args: readonly Step[], node: CallNode) => Step>> = {
  '_&&_': ([left, right]) => logical(left!, right!, false),
  '_||_': ([left, right]) => logical(left!, right!, true),
  '!_':
    ([operand]) =>
    (run) => {
      const value = operand!(run)
      charge(run, 1)
      if (typeof value !== 'boolean') throw noSuchOverload()
      return !value
    },
  '_?_:_':
    ([condition, yes, no]) =>
    (run) => {
      const value = condition!(run)
      if (typeof value !== 'boolean') throw noSuchOverload()
      return value ? yes!(run) : no!(run)
    },
  '@not_strictly_false':
    ([operand]) =>
    (run) => {
      charge(run, 1)
      return attempt(operand!, run) !== false
    },
  '_[_]':
    ([operand, at]) =>
    (run) => {
      const holder = operand!(run)
      const key = at!(run)
      charge(run, 1)
      return index(holder, key)
    },
  '_?._':
    ([operand, field]) =>
    (run) => {
      const holder = operand!(run)
      charge(run, 1)
      return optionalField(holder, String(field!(run)))
    },
  '_[?_]':
    ([operand, at]) =>
    (run) => {
      const holder = operand!(run)
      const key = at!(run)
      charge(run, 1)
      return optionalIndex(holder, key)
    },
  or: ([first, second]) => alternative(first!, second!, (given) => given),
  orValue: ([first, second]) => alternative(first!, second!, (given) => given.value!),
}

/** The second is not looked at where the first is there. */
const alternative =
  (first: Step, second: Step, of: (given: Optional) => Value): Step =>
  (run) => {
    const given = first(run)
    if (!(given instanceof Optional)) throw noSuchOverload()
    charge(run, 1)
    return given.value === undefined ? second(run) : of(given)
  }

const attempt = (step: Step, run: Run): Value | EvaluationError => {
  try {
    return step(run)
  } catch (error) {
    if (error instanceof EvaluationError) return error
    throw error
  }
}

/** One side that decides is enough, whatever is wrong with the other. */
const logical =
  (left: Step, right: Step, decisive: boolean): Step =>
  (run) => {
    const first = attempt(left, run)
    if (first === decisive) return decisive
    const second = attempt(right, run)
    if (second === decisive) return decisive
    for (const one of [first, second]) if (one instanceof EvaluationError) throw one
    if (typeof first !== 'boolean' || typeof second !== 'boolean') throw noSuchOverload()
    return !decisive
  }

const callStep = (node: CallNode, scope: Scope): Step => {
  const grown = growStep(node, scope)
  if (grown) return grown
  const operands = node.target ? [node.target, ...node.args] : node.args
  const args = operands.map((one) => compile(one, scope))
  const { name } = node
  if (Object.hasOwn(special, name)) return special[name]!(args, node)
  const run_ = functions[name] ?? formatFunction(name)
  const cost = costOf(name)
  return (run) => {
    const values: Value[] = []
    for (let at = 0; at < args.length; at++) values.push(args[at]!(run))
    spendSteps(weightOf(values))
    const result = run_(values, run)
    charge(run, cost(values, result))
    return result
  }
}

const itemSteps = 10

/** Steps of going through what a function is given; what lies deeper is counted where it is looked at (values.ts). */
const weightOf = (values: readonly Value[]): number => {
  let steps = 0
  for (const value of values) {
    if (typeof value === 'string') steps += value.length
    else if (typeof value === 'object' && value !== null && 'size' in value) steps += value.size * itemSteps
    else if (value instanceof Uint8Array) steps += value.length
  }
  return steps
}

/** `format.uuid()`; other functions that are declared, and not here, ask authorizers, which no rule of a schema has. */
const formatFunction = (name: string): Functions[string] => {
  const format = name.startsWith('format.') ? formatNamed(name.slice('format.'.length)) : undefined
  if (!format)
    return () => {
      throw noSuchOverload()
    }
  const found = new Opaque(formatType, format)
  return () => found
}

/** A list or map that a loop makes, item by item. */
class GrowingList implements ListValue {
  readonly kind = 'list'
  readonly items: Value[] = []
  get size(): number {
    return this.items.length
  }
  at = (at: number): Value => this.items[at]!
}

class GrowingMap implements MapValue {
  readonly kind = 'map'
  readonly isObject = false
  readonly entries = new Map<string, readonly [Value, Value]>()
  get size(): number {
    return this.entries.size
  }
  get = (key: Value): Value | undefined => this.entries.get(keyOf(key))?.[1]
  keys = (): Iterable<Value> => [...this.entries.values()].map(([key]) => key)
}

/** `accumulator + [item]` and `insert(accumulator, key, value)` happen in place: copying would cost the square. */
const growStep = (node: CallNode, scope: Scope): Step | undefined => {
  const [into, item, value] = node.args
  if (into?.kind !== 'ident' || into.name !== scope.growing) return undefined
  const read = compile(into, scope)
  if (node.name === '_+_' && item?.kind === 'list' && item.elements.length === 1) {
    const element = compile(item.elements[0]!, scope)
    return (run) => {
      const list = read(run) as GrowingList
      list.items.push(element(run))
      charge(run, listCost + 1)
      return list
    }
  }
  if (node.name !== 'cel.@mapInsert') return undefined
  const steps = [item, value].flatMap((one) => (one ? [compile(one, scope)] : []))
  return (run) => {
    const map = read(run) as GrowingMap
    const [key, held] = steps.map((one) => one(run)) as [Value, Value?]
    charge(run, 1)
    for (const [one, its] of entriesOf(key, held)) {
      if (map.get(one) !== undefined) throw new EvaluationError(`insert failed: key ${toText(one) ?? ''} already exists`)
      map.entries.set(keyOf(one), [one, its])
    }
    return map
  }
}

const entriesOf = (key: Value, value: Value | undefined): (readonly [Value, Value])[] => {
  if (value !== undefined) return [[key, value]]
  if (typeof key !== 'object' || key === null || !isMap(key)) throw noSuchOverload()
  return [...key.keys()].map((one) => [one, key.get(one)!] as const)
}

const loopStep = (node: ComprehensionNode, scope: Scope): Step => {
  const range = compile(node.range, scope)
  const growing =
    (node.init.kind === 'list' && node.init.elements.length === 0) || (node.init.kind === 'map' && node.init.entries.length === 0)
      ? node.accumulator
      : undefined
  const init = growing === undefined ? compile(node.init, scope) : undefined
  const isMapInit = node.init.kind === 'map'
  const [accumulator, first, second] = [scope.next, scope.next + 1, scope.next + 2]
  const inner: Scope = {
    slots: new Map([
      ...scope.slots,
      [node.accumulator, accumulator],
      [node.variable, first],
      ...(node.second === undefined ? [] : [[node.second, second] as const]),
    ]),
    next: scope.next + 3,
    growing,
  }
  const [condition, step] = [compile(node.condition, inner), compile(node.step, inner)]
  const result = compile(node.result, { ...inner, growing: undefined })
  const isPair = node.second !== undefined
  return (run) => {
    const over = range(run)
    run.slots[accumulator] = init ? init(run) : freshAccumulator(run, isMapInit)
    const each = (one: Value, other: Value | undefined): boolean => {
      run.slots[first] = one
      if (other !== undefined) run.slots[second] = other
      if (condition(run) === false) return false
      run.slots[accumulator] = attempt(step, run)
      return true
    }
    iterate(over, isPair, each)
    return result(run)
  }
}

const freshAccumulator = (run: Run, isMapInit: boolean): Value => {
  charge(run, isMapInit ? mapCost : listCost)
  return isMapInit ? new GrowingMap() : new GrowingList()
}

const iterate = (over: Value, isPair: boolean, each: (one: Value, other: Value | undefined) => boolean): void => {
  if (typeof over !== 'object' || over === null) throw noSuchOverload()
  if (isList(over)) {
    for (let at = 0; at < over.size; at++)
      if (!(isPair ? each(BigInt(at), over.at(at)) : each(over.at(at), undefined))) return
    return
  }
  if (!isMap(over)) throw noSuchOverload()
  for (const key of over.keys()) if (!each(key, isPair ? over.get(key)! : undefined)) return
}
