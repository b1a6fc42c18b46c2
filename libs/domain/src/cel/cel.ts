// The Common Expression Language, as far as an API server asks of expressions that it does not evaluate yet: whether one
// is an expression, knows all its names, and comes to what is wanted. The parser is a library's (cel-js.ts).
import { inferCel, parseCel, type CelNode } from './cel-js.ts'

export interface CelScope {
  /** Names that stand for a value of the request: `object`, `params`. */
  readonly variables: ReadonlySet<string>
  /** Members that `variables` has, when the expression may use earlier ones. */
  readonly composed?: ReadonlySet<string>
  /** Members of a variable that is an object of a known form. */
  readonly members?: ReadonlyMap<string, ReadonlySet<string>>
  /** Values may be unknown, as a device's attributes are. */
  readonly mayBeUnknown?: boolean
}

/** What an expression may come to; `dyn` always may be anything. */
export type CelType = 'bool' | 'string' | 'null'

/** Types are names of values too. */
const typeNames = new Set(['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'])
/** What functions and types with a dot in their names begin with. */
const packages = new Set(['cel', 'optional', 'google', 'math', 'sets', 'strings', 'base64', 'ip', 'cidr', 'quantity'])
const formatPackage = 'format'

/** Macros: how many of their arguments name what the last ones are about. */
const macros: ReadonlyMap<string, readonly number[]> = new Map([
  ['all', [2, 3]],
  ['exists', [2, 3]],
  ['exists_one', [2, 3]],
  ['existsOne', [2, 3]],
  ['filter', [2]],
  ['map', [2, 3]],
  ['transformList', [3, 4]],
  ['transformMap', [3, 4]],
  ['transformMapEntry', [3, 4]],
  ['bind', [3]],
  ['optMap', [2]],
  ['optFlatMap', [2]],
])
const namedByTwo = new Set(['transformList', 'transformMap', 'transformMapEntry'])

/** Functions of Kubernetes' own libraries, whose types are not told apart here. */
const functions = new Set([
  ...['has', 'size', 'dyn', 'type', 'int', 'uint', 'double', 'bool', 'string', 'bytes', 'timestamp', 'duration'],
  ...['contains', 'startsWith', 'endsWith', 'matches', 'getFullYear', 'getMonth', 'getDate', 'getDayOfMonth'],
  ...['getDayOfWeek', 'getDayOfYear', 'getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'],
  ...['charAt', 'indexOf', 'lastIndexOf', 'join', 'lowerAscii', 'upperAscii', 'replace', 'split', 'substring', 'trim'],
  ...['format', 'quote', 'reverse', 'find', 'findAll', 'isSorted', 'sum', 'min', 'max', 'distinct', 'flatten', 'slice'],
  ...['sort', 'sortBy', 'range', 'contains', 'equivalent', 'intersects', 'url', 'isURL', 'getScheme', 'getHost'],
  ...['getHostname', 'getPort', 'getEscapedPath', 'getQuery', 'quantity', 'isQuantity', 'sign', 'asInteger'],
  ...['asApproximateFloat', 'isInteger', 'add', 'sub', 'isGreaterThan', 'isLessThan', 'compareTo', 'ip', 'isIP'],
  ...['family', 'isCanonical', 'isUnspecified', 'isLoopback', 'isLinkLocalMulticast', 'isLinkLocalUnicast'],
  ...['isGlobalUnicast', 'cidr', 'isCIDR', 'containsIP', 'containsCIDR', 'masked', 'prefixLength', 'semver', 'isSemver'],
  ...['major', 'minor', 'patch', 'named', 'validate', 'path', 'group', 'serviceAccount', 'resource', 'subresource'],
  ...['namespace', 'name', 'check', 'allowed', 'reason', 'errored', 'error', 'fieldSelector', 'labelSelector'],
  ...['of', 'ofNonZeroValue', 'none', 'hasValue', 'value', 'or', 'orValue', 'encode', 'decode', 'jsonpatch'],
  ...['greatest', 'least', 'ceil', 'floor', 'round', 'trunc', 'abs', 'isInf', 'isNaN', 'isFinite', 'key', 'escapeKey'],
  ...['dns1123Label', 'dns1123Subdomain', 'dns1035Label', 'qualifiedName', 'labelValue', 'uri', 'uuid', 'byte', 'date'],
  'datetime',
])

/** Why an expression is refused, in upstream's words where ours can be the same; undefined when nothing is wrong. */
export const celProblem = (expression: string, scope: CelScope, wanted?: readonly CelType[]): string | undefined => {
  const parsed = parseCel(expression)
  if ('problem' in parsed)
    return compilationFailed(expression, parsed.at, `Syntax error: ${parsed.problem}`)
  const unknown = firstUnknown(parsed.node, scope, new Set())
  if (unknown) return compilationFailed(expression, unknown.at, unknown.sentence)
  const { type, problem, at } = inferCel(expression)
  if (problem !== undefined) return compilationFailed(expression, at ?? 0, problem)
  if (!wanted || type === undefined || type === 'dyn' || (wanted as readonly string[]).includes(type)) return undefined
  if (wanted.length > 1) return `must evaluate to one of [${wanted.join(' ')}] but got ${type}`
  // Of devices upstream words it otherwise.
  return scope.mayBeUnknown
    ? `must evaluate to ${wanted[0]} or the unknown type, not ${type}`
    : `must evaluate to ${wanted[0]} but got ${type}`
}

/** As the reference implementation shows a place in an expression. */
const compilationFailed = (expression: string, at: number, sentence: string): string => {
  const before = expression.slice(0, at).split('\n')
  const line = expression.split('\n')[before.length - 1] ?? ''
  const column = before.at(-1)!.length
  const place = `<input>:${before.length}:${column + 1}`
  return `compilation failed: ERROR: ${place}: ${sentence}\n | ${line}\n | ${'.'.repeat(column)}^`
}

interface Unknown {
  readonly at: number
  readonly sentence: string
}

const undeclared = (name: string, at: number): Unknown => ({
  at,
  sentence: `undeclared reference to '${name}' (in container '')`,
})

/** The first name that stands for nothing. */
function firstUnknown(node: CelNode, scope: CelScope, bound: ReadonlySet<string>): Unknown | undefined {
  const among = (nodes: readonly CelNode[], names = bound): Unknown | undefined => {
    for (const one of nodes) {
      const found = firstUnknown(one, scope, names)
      if (found) return found
    }
    return undefined
  }
  if (node.name !== undefined && node.kind === 'id')
    return bound.has(node.name) || scope.variables.has(node.name) || typeNames.has(node.name)
      ? undefined
      : undeclared(node.name, node.at)
  if (node.kind === 'member') {
    const [holder] = node.children
    if (holder?.kind === 'id' && holder.name === 'variables' && scope.composed && !bound.has('variables'))
      return scope.composed.has(node.name!) ? undefined : { at: node.at, sentence: `undefined field '${node.name}'` }
    const known = holder?.kind === 'id' && !bound.has(holder.name!) ? scope.members?.get(holder.name!) : undefined
    if (known && !known.has(node.name!)) return { at: node.at - 1, sentence: `undefined field '${node.name}'` }
    if (holder?.kind === 'id' && packages.has(holder.name!) && !scope.variables.has(holder.name!)) return undefined
    return among(node.children)
  }
  if (node.kind !== 'call') return among(node.children)
  const { name = '', target, children } = node
  const namespaced = target?.kind === 'id' && isPackage(target.name!) && !scope.variables.has(target.name!)
  if (target && !namespaced) {
    const found = among([target])
    if (found) return found
  }
  if (target && macros.get(name)?.includes(children.length)) return inMacro(name, children, scope, bound)
  const found = among(children)
  if (found) return found
  return functions.has(name) ? undefined : undeclared(name, node.at)
}

const isPackage = (name: string): boolean => packages.has(name) || name === formatPackage

function inMacro(
  name: string,
  children: readonly CelNode[],
  scope: CelScope,
  bound: ReadonlySet<string>,
): Unknown | undefined {
  const named = namedByTwo.has(name) || (children.length === 3 && name !== 'map' && name !== 'bind') ? 2 : 1
  const names = children.slice(0, named).flatMap((child) => (child.name === undefined ? [] : [child.name]))
  const inside = new Set([...bound, ...names])
  for (const child of children.slice(named)) {
    const found = firstUnknown(child, scope, inside)
    if (found) return found
  }
  return undefined
}

const reserved = new Set(
  'as break const continue else false for function if import in let loop namespace null package return true var void while'.split(
    ' ',
  ),
)

/** Whether a name may be used in expressions. */
export const isCelIdentifier = (name: string): boolean => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !reserved.has(name)
