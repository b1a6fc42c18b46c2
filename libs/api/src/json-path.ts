// JSONPath as Kubernetes has it (k8s.io/client-go/util/jsonpath), for printer columns, selectable fields and the paths of
// scale: fields, indexes, slices, wildcards, unions, recursive descent and filters. A path is compiled once and bounded:
// it can neither throw nor walk without end when it is evaluated.

/** All values that the path leads to, in order; what is not there is left out. */
export type JsonPath = (value: unknown) => readonly unknown[]

export class JsonPathError extends Error {
  override readonly name = 'JsonPathError'
}

type Step = (values: readonly unknown[]) => unknown[]

/** A path leads to no more values than this; the rest is not shown to anybody. */
const valuesMax = 10_000
const descentMax = 64

/** Compiles `.spec.containers[0].image`; throws JsonPathError. */
export function compileJsonPath(path: string): JsonPath {
  const steps = new Parser(path).steps()
  return (value) => {
    let values: readonly unknown[] = [value]
    for (const step of steps) {
      values = step(values)
      if (values.length === 0) return values
      if (values.length > valuesMax) values = values.slice(0, valuesMax)
    }
    return values
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fieldOf = (value: unknown, name: string): unknown[] =>
  isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []

const childrenOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []

const field =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => fieldOf(value, name))

const wildcard: Step = (values) => values.flatMap((value) => [...childrenOf(value)])

const descend = (value: unknown, found: unknown[], depth: number): void => {
  found.push(value)
  if (depth >= descentMax) return
  for (const child of childrenOf(value)) {
    if (found.length > valuesMax) return
    descend(child, found, depth + 1)
  }
}

const recursive: Step = (values) => {
  const found: unknown[] = []
  for (const value of values) descend(value, found, 0)
  return found
}

const union =
  (branches: readonly Step[]): Step =>
  (values) =>
    branches.flatMap((branch) => branch(values))

/** `[start:end:step]` and `[index]`; a negative one counts from the end. */
const slice =
  (start: number | undefined, end: number | undefined, step: number): Step =>
  (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return []
      const at = (index: number | undefined, whenUnsaid: number): number =>
        index === undefined ? whenUnsaid : index < 0 ? index + value.length : index
      const found: unknown[] = []
      for (let i = Math.max(0, at(start, 0)); i < Math.min(value.length, at(end, value.length)); i += step)
        found.push(value[i])
      return found
    })

const element =
  (index: number): Step =>
  (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return []
      const at = index < 0 ? index + value.length : index
      return at >= 0 && at < value.length ? [value[at]] : []
    })

type Operand = { readonly constant: unknown } | { readonly path: readonly Step[] }

const operandValue = (operand: Operand, item: unknown): readonly unknown[] => {
  if ('constant' in operand) return [operand.constant]
  let values: readonly unknown[] = [item]
  for (const step of operand.path) values = step(values)
  return values
}

const compares: Readonly<Record<string, (a: any, b: any) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

const filter =
  (left: Operand, operator: string | undefined, right: Operand | undefined): Step =>
  (values) =>
    values.flatMap((value) =>
      (Array.isArray(value) ? value : [value]).filter((item) => {
        const [a] = operandValue(left, item)
        if (operator === undefined) return operandValue(left, item).length > 0
        const [b] = operandValue(right!, item)
        if (a === undefined || b === undefined) return false
        return typeof a === typeof b && compares[operator]!(a, b)
      }),
    )

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  steps(end?: RegExp): Step[] {
    const steps: Step[] = []
    while (this.#at < this.#text.length) {
      const rest = this.#text.slice(this.#at)
      if (end?.test(rest)) break
      if (rest.startsWith('..')) {
        this.#at += 2
        steps.push(recursive)
        if (!/^[[*]/.test(this.#text.slice(this.#at))) steps.push(this.#named())
      } else if (rest.startsWith('.')) {
        this.#at += 1
        const next = this.#text[this.#at]
        if (next === undefined || next === '[') continue
        steps.push(this.#named())
      } else if (rest.startsWith('[')) steps.push(this.#bracket())
      else if (steps.length === 0 && (rest.startsWith('$') || rest.startsWith('@'))) this.#at += 1
      else if (rest.startsWith('*')) {
        this.#at += 1
        steps.push(wildcard)
      } else steps.push(this.#named())
    }
    return steps
  }

  #named(): Step {
    if (this.#text[this.#at] === '*') {
      this.#at += 1
      return wildcard
    }
    let name = ''
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!
      if (character === '\\') {
        name += this.#text[this.#at + 1] ?? ''
        this.#at += 2
      } else if (/[.[\]\s|()=!<>,]/.test(character)) break
      else {
        name += character
        this.#at += 1
      }
    }
    if (name === '') throw this.#wrong()
    return field(name)
  }

  #bracket(): Step {
    const inside = this.#inside()
    if (inside.startsWith('?(') && inside.endsWith(')')) return filterOf(inside.slice(2, -1))
    const parts = splitOutsideQuotes(inside, ',')
    const branches = parts.map((part) => this.#branch(part.trim()))
    return branches.length === 1 ? branches[0]! : union(branches)
  }

  #branch(part: string): Step {
    if (part === '*') return wildcard
    const quoted = quotedText(part)
    if (quoted !== undefined) return field(quoted)
    if (/^-?\d+$/.test(part)) return element(Number(part))
    const range = /^(-?\d+)?:(-?\d+)?(?::(\d+))?$/.exec(part)
    if (range) {
      const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))
      const step = number(range[3]) ?? 1
      if (step < 1) throw new JsonPathError('step must be > 0')
      return slice(number(range[1]), number(range[2]), step)
    }
    throw new JsonPathError(`invalid array index ${part}`)
  }

  /** The text up to the bracket that closes this one. */
  #inside(): string {
    const start = this.#at + 1
    let depth = 0
    let quote = ''
    for (let i = this.#at; i < this.#text.length; i++) {
      const character = this.#text[i]!
      if (quote !== '') {
        if (character === '\\') i += 1
        else if (character === quote) quote = ''
      } else if (character === '"' || character === "'") quote = character
      else if (character === '[') depth += 1
      else if (character === ']' && --depth === 0) {
        this.#at = i + 1
        return this.#text.slice(start, i)
      }
    }
    throw new JsonPathError('unterminated array')
  }

  #wrong(): JsonPathError {
    return new JsonPathError(`unrecognized character in action: ${JSON.stringify(this.#text[this.#at] ?? '')}`)
  }
}

function quotedText(text: string): string | undefined {
  const quote = text[0]
  if ((quote !== '"' && quote !== "'") || text.length < 2 || text.at(-1) !== quote) return undefined
  return text.slice(1, -1).replace(/\\(.)/g, '$1')
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let part = ''
  let quote = ''
  for (const character of text) {
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === separator) {
      parts.push(part)
      part = ''
      continue
    }
    part += character
  }
  return [...parts, part]
}

/** `@.type=="Ready"`, `@.ready`. */
function filterOf(text: string): Step {
  const match = /^(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$/s.exec(text)
  if (!match) return filter(operandOf(text.trim()), undefined, undefined)
  return filter(operandOf(match[1]!.trim()), match[2]!, operandOf(match[3]!.trim()))
}

function operandOf(text: string): Operand {
  const quoted = quotedText(text)
  if (quoted !== undefined) return { constant: quoted }
  if (text === 'true' || text === 'false') return { constant: text === 'true' }
  if (/^-?\d+(\.\d+)?$/.test(text)) return { constant: Number(text) }
  return { path: new Parser(text).steps() }
}

/** A value as Kubernetes prints it into text: objects and lists as JSON. */
export const printedValue = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : value === null || value === undefined
      ? ''
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)
