// Macros, written out: `list.all(x, p)` is a loop over the list with an accumulator. Their form decides what an expression
// costs, so it is that of cel-go.
import type { Node } from './ast.ts'

/** What a macro could not be read from. */
export class MacroError extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

export const accumulatorName = '@result'
const unused = '#unused'

const ident = (name: string, at: number): Node => ({ kind: 'ident', name, at })
const literal = (value: boolean | bigint, at: number): Node => ({ kind: 'literal', value, at })
export const call = (name: string, at: number, ...args: Node[]): Node => ({ kind: 'call', name, target: undefined, args, at })
const emptyList = (at: number): Node => ({ kind: 'list', elements: [], at })

interface Loop {
  readonly range: Node
  readonly names: readonly string[]
  readonly init: Node
  readonly condition: Node
  readonly step: Node
  readonly result: Node
}

const loop = (at: number, { names, ...parts }: Loop): Node => ({
  kind: 'comprehension',
  variable: names[0]!,
  second: names[1],
  accumulator: accumulatorName,
  ...parts,
  at,
})

type Expand = (range: Node, names: readonly string[], args: readonly Node[], at: number) => Node

const result = (at: number): Node => ident(accumulatorName, at)
const append = (what: Node, at: number): Node =>
  call('_+_', at, result(at), { kind: 'list', elements: [what], at })
const when = (condition: Node | undefined, step: Node, at: number): Node =>
  condition ? call('_?_:_', at, condition, step, result(at)) : step

const all: Expand = (range, names, [test], at) =>
  loop(at, {
    range,
    names,
    init: literal(true, at),
    condition: call('@not_strictly_false', at, result(at)),
    step: call('_&&_', at, result(at), test!),
    result: result(at),
  })

const exists: Expand = (range, names, [test], at) =>
  loop(at, {
    range,
    names,
    init: literal(false, at),
    condition: call('@not_strictly_false', at, call('!_', at, result(at))),
    step: call('_||_', at, result(at), test!),
    result: result(at),
  })

const existsOne: Expand = (range, names, [test], at) =>
  loop(at, {
    range,
    names,
    init: literal(0n, at),
    condition: literal(true, at),
    step: when(test, call('_+_', at, result(at), literal(1n, at)), at),
    result: call('_==_', at, result(at), literal(1n, at)),
  })

const collect = (range: Node, names: readonly string[], test: Node | undefined, step: Node, init: Node, at: number): Node =>
  loop(at, { range, names, init, condition: literal(true, at), step: when(test, step, at), result: result(at) })

const map: Expand = (range, names, args, at) =>
  collect(range, names, args.length > 1 ? args[0] : undefined, append(args.at(-1)!, at), emptyList(at), at)

const filter: Expand = (range, names, [test], at) =>
  collect(range, names, test, append(ident(names[0]!, at), at), emptyList(at), at)

const transformMap: Expand = (range, names, args, at) =>
  collect(
    range,
    names,
    args.length > 1 ? args[0] : undefined,
    call('cel.@mapInsert', at, result(at), ident(names[0]!, at), args.at(-1)!),
    { kind: 'map', entries: [], at },
    at,
  )

const transformMapEntry: Expand = (range, names, args, at) =>
  collect(
    range,
    names,
    args.length > 1 ? args[0] : undefined,
    call('cel.@mapInsert', at, result(at), args.at(-1)!),
    { kind: 'map', entries: [], at },
    at,
  )

interface Macro {
  readonly names: 1 | 2
  readonly expand: Expand
}

/** By name and number of arguments. */
const macros: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['all/2', { names: 1, expand: all }],
  ['exists/2', { names: 1, expand: exists }],
  ['exists_one/2', { names: 1, expand: existsOne }],
  ['existsOne/2', { names: 1, expand: existsOne }],
  ['map/2', { names: 1, expand: map }],
  ['map/3', { names: 1, expand: map }],
  ['filter/2', { names: 1, expand: filter }],
  ['all/3', { names: 2, expand: all }],
  ['exists/3', { names: 2, expand: exists }],
  ['existsOne/3', { names: 2, expand: existsOne }],
  ['exists_one/3', { names: 2, expand: existsOne }],
  ['transformList/3', { names: 2, expand: map }],
  ['transformList/4', { names: 2, expand: map }],
  ['transformMap/3', { names: 2, expand: transformMap }],
  ['transformMap/4', { names: 2, expand: transformMap }],
  ['transformMapEntry/3', { names: 2, expand: transformMapEntry }],
  ['transformMapEntry/4', { names: 2, expand: transformMapEntry }],
])

/** The loop that a method stands for; undefined when it is a method and no macro. */
export const expandMethod = (name: string, target: Node, args: readonly Node[], at: number): Node | undefined => {
  if ((name === 'optMap' || name === 'optFlatMap') && args.length === 2) return optional(name, target, args, at)
  if (name === 'sortBy' && args.length === 2) return sortBy(target, args, at)
  const macro = macros.get(`${name}/${args.length}`)
  if (!macro) return undefined
  const names = args.slice(0, macro.names).map((arg) => {
    if (arg.kind !== 'ident') throw new MacroError('argument must be a simple name', arg.at)
    if (arg.name === accumulatorName || arg.name === '__result__')
      throw new MacroError('iteration variable overwrites accumulator variable', arg.at)
    return arg.name
  })
  if (names.length === 2 && names[0] === names[1]) throw new MacroError('duplicate variable name', args[1]!.at)
  return macro.expand(target, names, args.slice(macro.names), at)
}

const sortInput = '@__sortBy_input__'

/** `list.sortBy(x, key)`: the list beside the list of its keys. */
const sortBy = (target: Node, args: readonly Node[], at: number): Node => {
  const input = ident(sortInput, at)
  const keys = expandMethod('map', input, args, at)!
  return {
    kind: 'comprehension',
    variable: unused,
    second: undefined,
    range: emptyList(at),
    accumulator: sortInput,
    init: target,
    condition: literal(false, at),
    step: ident(sortInput, at),
    result: { kind: 'call', name: '@sortByAssociatedKeys', target: ident(sortInput, at), args: [keys], at },
    at,
  }
}

/** `a.optMap(x, f)`: nothing stays nothing. */
const optional = (name: string, target: Node, args: readonly Node[], at: number): Node => {
  const [variable, body] = args as [Node, Node]
  if (variable.kind !== 'ident') throw new MacroError(`${name}() variable name must be a simple identifier`, variable.at)
  const bound: Node = {
    kind: 'comprehension',
    variable: unused,
    second: undefined,
    range: emptyList(at),
    accumulator: variable.name,
    init: { kind: 'call', name: 'value', target, args: [], at },
    condition: literal(false, at),
    step: ident(variable.name, at),
    result: body,
    at,
  }
  return call(
    '_?_:_',
    at,
    { kind: 'call', name: 'hasValue', target, args: [], at },
    name === 'optMap' ? call('optional.of', at, bound) : bound,
    call('optional.none', at),
  )
}

/** `has(a.b)`. */
export const expandHas = ([arg]: readonly Node[], at: number): Node => {
  if (arg?.kind !== 'select') throw new MacroError('invalid argument to has() macro', arg?.at ?? at)
  return { ...arg, isTest: true, at }
}
