// Types of expressions, and which may stand for which.

export type TypeKind =
  | 'dyn'
  | 'error'
  | 'null_type'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration'
  | 'list'
  | 'map'
  | 'type'
  | 'object'
  | 'opaque'
  | 'param'

export interface Type {
  readonly kind: TypeKind
  /** Of objects, opaque types and parameters. */
  readonly name: string
  readonly params: readonly Type[]
  /** Fields of an object, found when they are asked for. */
  readonly fieldOf?: (name: string) => Type | undefined
}

const simple = (kind: TypeKind): Type => ({ kind, name: kind, params: [] })

export const dyn = simple('dyn')
export const errorType = simple('error')
export const nullType = simple('null_type')
export const bool = simple('bool')
export const int = simple('int')
export const uint = simple('uint')
export const double = simple('double')
export const string = simple('string')
export const bytes = simple('bytes')
export const timestamp = simple('timestamp')
export const duration = simple('duration')

export const listOf = (item: Type): Type => ({ kind: 'list', name: 'list', params: [item] })
export const mapOf = (key: Type, value: Type): Type => ({ kind: 'map', name: 'map', params: [key, value] })
export const typeOf = (one: Type): Type => ({ kind: 'type', name: 'type', params: [one] })
export const param = (name: string): Type => ({ kind: 'param', name, params: [] })
export const opaque = (name: string, ...params: Type[]): Type => ({ kind: 'opaque', name, params })
export const optionalOf = (one: Type): Type => opaque('optional_type', one)
export const objectOf = (name: string, fieldOf: (name: string) => Type | undefined): Type => ({
  kind: 'object',
  name,
  params: [],
  fieldOf,
})
/** Kubernetes' own types are objects without fields. */
export const kubernetes = (name: string): Type => objectOf(`kubernetes.${name}`, () => undefined)

export const isOptional = (type: Type): boolean => type.kind === 'opaque' && type.name === 'optional_type'

/** As errors name it: `list(int)`, `map(string, dyn)`. */
export const formatType = (type: Type): string => {
  switch (type.kind) {
    case 'timestamp':
      return 'timestamp'
    case 'error':
      return '!error!'
    case 'null_type':
      return 'null'
    default:
      return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(formatType).join(', ')})`
  }
}

/** What parameters of types stand for. */
export class Bindings {
  #bound = new Map<string, Type>()
  #fresh = 0

  fresh(): Type {
    return param(`_var${this.#fresh++}`)
  }

  find(type: Type): Type | undefined {
    return type.kind === 'param' ? this.#bound.get(type.name) : undefined
  }

  bind(type: Type, to: Type): void {
    this.#bound.set(type.name, to)
  }

  /** The bindings as they are, to go back to. */
  save(): ReadonlyMap<string, Type> {
    return new Map(this.#bound)
  }

  restore(saved: ReadonlyMap<string, Type>): void {
    this.#bound = new Map(saved)
  }

  /** The type with all that is known of its parameters; what is not known is dyn where nothing may stay open. */
  substitute(type: Type, close: boolean): Type {
    const bound = this.find(type)
    if (bound !== undefined) return this.substitute(bound, close)
    if (type.kind === 'param') return close ? dyn : type
    return type.params.length === 0 ? type : { ...type, params: type.params.map((one) => this.substitute(one, close)) }
  }
}

const nullable: ReadonlySet<TypeKind> = new Set(['null_type', 'object', 'opaque', 'timestamp', 'duration'])

/** Whether a value of one type may stand where the other is wanted; binds parameters on the way. */
export const isAssignable = (bindings: Bindings, from: Type, to: Type): boolean => {
  const saved = bindings.save()
  if (assign(bindings, from, to)) return true
  bindings.restore(saved)
  return false
}

export const areAssignable = (bindings: Bindings, from: readonly Type[], to: readonly Type[]): boolean => {
  if (from.length !== to.length) return false
  const saved = bindings.save()
  if (from.every((one, index) => assign(bindings, one, to[index]!))) return true
  bindings.restore(saved)
  return false
}

const assign = (bindings: Bindings, from: Type, to: Type): boolean => {
  if (to.kind === 'param') return assignToParam(bindings, from, to)
  if (from.kind === 'param') return assignToParam(bindings, to, from)
  if (isLoose(from) || isLoose(to)) return true
  if (from.kind === 'null_type') return nullable.has(to.kind)
  if (to.kind === 'null_type') return nullable.has(from.kind)
  // Types as values are all of one type, whatever they are types of.
  if (from.kind === 'type' && to.kind === 'type') return true
  if (from.kind !== to.kind || from.name !== to.name) return false
  return (
    from.params.length === to.params.length && from.params.every((one, index) => assign(bindings, one, to.params[index]!))
  )
}

const isLoose = (type: Type): boolean => type.kind === 'dyn' || type.kind === 'error'

const assignToParam = (bindings: Bindings, from: Type, to: Type): boolean => {
  if (from.kind === 'param' && from.name === to.name) return true
  const bound = bindings.find(to)
  if (bound !== undefined) {
    if (!assign(bindings, from, bound)) return false
    // Of two types the looser one is remembered.
    if (isLooser(from, bound)) bindings.bind(to, from)
    return true
  }
  if (occurs(bindings, to, from)) return false
  bindings.bind(to, from)
  return true
}

const occurs = (bindings: Bindings, which: Type, inside: Type): boolean => {
  const bound = bindings.find(inside)
  if (bound) return occurs(bindings, which, bound)
  return inside.kind === 'param' ? inside.name === which.name : inside.params.some((one) => occurs(bindings, which, one))
}

const isLooser = (a: Type, b: Type): boolean =>
  a.kind === 'dyn' || (a.kind === b.kind && a.params.some((one, index) => b.params[index] && isLooser(one, b.params[index])))

export const isSameType = (a: Type, b: Type): boolean =>
  a.kind === b.kind &&
  a.name === b.name &&
  a.params.length === b.params.length &&
  a.params.every((one, index) => isSameType(one, b.params[index]!))

export const mostGeneral = (a: Type, b: Type): Type => (isLooser(b, a) ? b : a)

const signatureToken = /[A-Za-z_][\w.]*|[(),<>]/g
const simpleTypes: ReadonlyMap<string, Type> = new Map(
  [dyn, nullType, bool, int, uint, double, string, bytes, timestamp, duration].map((one) => [one.name, one]),
)

/** A type as declarations write it: `list<A>`, `map<string, int>`, `optional<A>`, `Quantity`. */
export const parseType = (text: string): Type => {
  const tokens = text.match(signatureToken) ?? []
  let at = 0
  const read = (): Type => {
    const name = tokens[at++]!
    const params: Type[] = []
    if (tokens[at] === '<') {
      do {
        at++
        params.push(read())
      } while (tokens[at] === ',')
      at++
    }
    if (name === 'list') return listOf(params[0]!)
    if (name === 'map') return mapOf(params[0]!, params[1]!)
    if (name === 'optional') return optionalOf(params[0]!)
    if (name === 'type') return typeOf(params[0] ?? dyn)
    if (/^[A-Z]$/.test(name)) return param(name)
    return simpleTypes.get(name) ?? kubernetesType(name)
  }
  return read()
}

/** IP and CIDR are opaque, the others objects without fields. */
const kubernetesType = (name: string): Type => {
  if (name === 'IP' || name === 'CIDR') return opaque(`net.${name}`)
  return kubernetes(authorizationTypes.has(name) ? `authorization.${name}` : name)
}

const authorizationTypes: ReadonlySet<string> = new Set(['Authorizer', 'PathCheck', 'GroupCheck', 'ResourceCheck', 'Decision'])
