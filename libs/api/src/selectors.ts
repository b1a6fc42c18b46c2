// Selectors: the label selector's little language (`app in (a,b),!canary`), LabelSelector objects, and field selectors
// (`spec.nodeName=n1,status.phase!=Failed`), with the grammar and the sentences of k8s.io/apimachinery. A parsed selector
// is data plus one `matches` function, because watches and lists ask it for every object.
import { ApiError, badRequest, type StatusCause } from './status.ts'
import * as fieldErrors from './field-errors.ts'

export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt'

export interface LabelRequirement {
  readonly key: string
  readonly operator: LabelOperator
  readonly values: readonly string[]
}

export interface CompiledSelector {
  /** ANDed, sorted by key. */
  readonly requirements: readonly LabelRequirement[]
  /** True when it restricts nothing. */
  readonly everything: boolean
  /** True for the selector of an absent LabelSelector, which selects nothing at all. */
  readonly nothing: boolean
  readonly matches: (labels: Readonly<Record<string, string>> | undefined) => boolean
}

/** metav1.LabelSelector. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | null
  readonly matchExpressions?:
    | readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] | null }[]
    | null
}

/** A LabelSelector as requests bring it, before it is validated. */
export interface DecodedLabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | null | undefined
  readonly matchExpressions?: readonly Partial<DecodedLabelRequirement>[] | null | undefined
}

interface DecodedLabelRequirement {
  readonly key: string | undefined
  readonly operator: string | undefined
  readonly values: readonly string[] | null | undefined
}

// ── names and values of labels ────────────────────────────────────────────────────────────────────────────────────

const labelNameMaxBytes = 63
const subdomainMaxBytes = 253
const labelNameFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/
const subdomainFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const alphanumericRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
const labelKeyRule = `${alphanumericRule} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${labelNameFormat}')`

const byteLength = (text: string): number => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return new TextEncoder().encode(text).length
  return text.length
}

/** What is wrong with a label key (also: a qualified name), in upstream's sentences; empty when it is fine. */
export const labelKeyProblems = (key: string): string[] => {
  const slash = key.indexOf('/')
  if (slash < 0 && key.length <= labelNameMaxBytes && labelName.test(key)) return []
  const problems: string[] = []
  let name = key
  if (slash >= 0) {
    if (key.indexOf('/', slash + 1) >= 0) {
      return [
        `a valid label key ${labelKeyRule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ]
    }
    const prefix = key.slice(0, slash)
    name = key.slice(slash + 1)
    if (prefix === '') problems.push('prefix part must be non-empty')
    else {
      if (byteLength(prefix) > subdomainMaxBytes) {
        problems.push(`prefix part must be no more than ${subdomainMaxBytes} bytes`)
      }
      if (!subdomain.test(prefix)) {
        problems.push(
          `prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomainFormat}')`,
        )
      }
    }
  }
  if (name === '') problems.push('name part must be non-empty')
  else if (byteLength(name) > labelNameMaxBytes)
    problems.push(`name part must be no more than ${labelNameMaxBytes} bytes`)
  if (!labelName.test(name)) problems.push(`name part ${labelKeyRule}`)
  return problems
}

/** What is wrong with a label value, in upstream's sentences; empty when it is fine. */
export const labelValueProblems = (value: string): string[] => {
  if (value.length <= labelNameMaxBytes && labelValue.test(value)) return []
  const problems: string[] = []
  if (byteLength(value) > labelNameMaxBytes) problems.push(`must be no more than ${labelNameMaxBytes} bytes`)
  if (!labelValue.test(value)) {
    problems.push(
      `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${labelNameFormat})?')`,
    )
  }
  return problems
}

// ── matching ──────────────────────────────────────────────────────────────────────────────────────────────────────

const int64Min = -(1n << 63n)
const int64Max = (1n << 63n) - 1n

const parseInt64 = (text: string): bigint | undefined => {
  if (!/^[+-]?[0-9]{1,40}$/.test(text)) return undefined
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return value < int64Min || value > int64Max ? undefined : value
}

const labelOf = (labels: Readonly<Record<string, string>> | undefined, key: string): string | undefined =>
  labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined

const requirementMatches = (
  requirement: LabelRequirement,
  labels: Readonly<Record<string, string>> | undefined,
): boolean => {
  const value = labelOf(labels, requirement.key)
  switch (requirement.operator) {
    case '=':
    case '==':
      return value !== undefined && value === requirement.values[0]
    case 'in':
      return value !== undefined && requirement.values.includes(value)
    case '!=':
    case 'notin':
      return value === undefined || !requirement.values.includes(value)
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case 'gt':
    case 'lt': {
      const have = value === undefined ? undefined : parseInt64(value)
      const want = parseInt64(requirement.values[0]!)
      if (have === undefined || want === undefined) return false
      return requirement.operator === 'gt' ? have > want : have < want
    }
  }
}

/** Selects everything. */
export const everythingSelector: CompiledSelector = {
  requirements: [],
  everything: true,
  nothing: false,
  matches: () => true,
}

/** Selects nothing. */
export const nothingSelector: CompiledSelector = {
  requirements: [],
  everything: false,
  nothing: true,
  matches: () => false,
}

/** A selector from its requirements, which are taken as valid. */
export const compileRequirements = (unsorted: readonly LabelRequirement[]): CompiledSelector => {
  if (unsorted.length === 0) return everythingSelector
  const requirements = [...unsorted].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const only = requirements[0]!
  return {
    requirements,
    everything: false,
    nothing: false,
    matches:
      requirements.length === 1
        ? (labels) => requirementMatches(only, labels)
        : (labels) => {
            for (const requirement of requirements) if (!requirementMatches(requirement, labels)) return false
            return true
          },
  }
}

/** The one value that a selector asks of a label, when it asks for exactly one: what an index needs to know. */
export const requiredLabelValue = (selector: CompiledSelector, key: string): string | undefined => {
  for (const requirement of selector.requirements) {
    if (requirement.key !== key || requirement.values.length !== 1) continue
    if (requirement.operator === '=' || requirement.operator === '==' || requirement.operator === 'in') {
      return requirement.values[0]
    }
  }
  return undefined
}

const quoted = (text: string): string => JSON.stringify(text)

const requirementProblems = (key: string, operator: LabelOperator, values: readonly string[]): string[] => {
  const problems: string[] = []
  const keyProblems = labelKeyProblems(key)
  if (keyProblems.length > 0) problems.push(`key: Invalid value: ${quoted(key)}: ${keyProblems.join('; ')}`)
  const list = `[${values.map(quoted).join(',')}]`
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    problems.push(`values: Invalid value: ${list}: for 'in', 'notin' operators, values set can't be empty`)
  }
  if ((operator === 'exists' || operator === '!') && values.length > 0) {
    problems.push(`values: Invalid value: ${list}: values set must be empty for exists and does not exist`)
  }
  if (operator === 'gt' || operator === 'lt') {
    values.forEach((value, index) => {
      if (parseInt64(value) !== undefined) return
      problems.push(
        `values[${index}]: Invalid value: ${quoted(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      )
    })
  }
  values.forEach((value, index) => {
    const valueProblems = labelValueProblems(value)
    if (valueProblems.length > 0) {
      problems.push(`values[${index}][${key}]: Invalid value: ${quoted(value)}: ${valueProblems.join('; ')}`)
    }
  })
  return problems
}

// ── the language ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Token {
  readonly kind: 'identifier' | 'in' | 'notin' | '=' | '==' | '!=' | '!' | '>' | '<' | '(' | ')' | ',' | 'end' | 'error'
  readonly text: string
}

const specials = '=!(),><'
const blanks = ' \t\r\n'

const tokenize = (text: string): Token[] => {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const first = text[at]!
    if (blanks.includes(first)) {
      at++
      continue
    }
    if (first === '\0') break
    if (specials.includes(first)) {
      const pair = text.slice(at, at + 2)
      if (pair === '==' || pair === '!=') {
        tokens.push({ kind: pair, text: pair })
        at += 2
      } else {
        tokens.push({ kind: first as Token['kind'], text: first })
        at++
      }
      continue
    }
    let end = at + 1
    while (end < text.length && !specials.includes(text[end]!) && !blanks.includes(text[end]!)) end++
    const word = text.slice(at, end)
    tokens.push({ kind: word === 'in' || word === 'notin' ? word : 'identifier', text: word })
    at = end
  }
  tokens.push({ kind: 'end', text: '' })
  return tokens
}

const refuse = (message: string): never => {
  throw new ApiError(badRequest(message))
}

/** Inside a requirement every refusal begins alike. */
const refuseRequirement = (message: string): never => refuse(`unable to parse requirement: ${message}`)

const isWord = (token: Token): boolean => token.kind === 'identifier' || token.kind === 'in' || token.kind === 'notin'

const sortedUnique = (values: Iterable<string>): string[] => [...new Set(values)].sort()

class LabelSelectorParser {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(text: string) {
    this.#tokens = tokenize(text)
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)]!
  }

  #next(): Token {
    const token = this.#peek()
    this.#at++
    return token
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = []
    for (;;) {
      const first = this.#peek()
      if (first.kind === 'end') return requirements
      if (!isWord(first) && first.kind !== '!') {
        refuse(`found '${first.text}', expected: !, identifier, or 'end of string'`)
      }
      requirements.push(this.#requirement())
      const after = this.#next()
      if (after.kind === 'end') return requirements
      if (after.kind !== ',') refuse(`found '${after.text}', expected: ',' or 'end of string'`)
      const following = this.#peek()
      if (!isWord(following) && following.kind !== '!') {
        refuse(`found '${following.text}', expected: identifier after ','`)
      }
    }
  }

  #requirement(): LabelRequirement {
    let token = this.#next()
    const negated = token.kind === '!'
    if (negated) token = this.#next()
    if (!isWord(token)) refuseRequirement(`found '${token.text}', expected: identifier`)
    const key = token.text
    const keyProblems = labelKeyProblems(key)
    if (keyProblems.length > 0) {
      refuseRequirement(`<nil>: Invalid value: ${quoted(key)}: ${keyProblems.join('; ')}`)
    }
    if (negated) return { key, operator: '!', values: [] }
    const following = this.#peek()
    if (following.kind === 'end' || following.kind === ',') return { key, operator: 'exists', values: [] }
    const operator = this.#operator()
    const values = operator === 'in' || operator === 'notin' ? this.#valueSet() : [this.#value()]
    const problems = requirementProblems(key, operator, values)
    if (problems.length === 1) refuseRequirement(problems[0]!)
    if (problems.length > 1) refuseRequirement(`[${problems.join(', ')}]`)
    return { key, operator, values }
  }

  #operator(): LabelOperator {
    const token = this.#next()
    switch (token.kind) {
      case 'in':
      case 'notin':
      case '=':
      case '==':
      case '!=':
        return token.kind
      case '>':
        return 'gt'
      case '<':
        return 'lt'
      default:
        return refuseRequirement(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`)
    }
  }

  /** What stands right of an exact operator; nothing stands for the empty value. */
  #value(): string {
    const token = this.#peek()
    if (token.kind === 'end' || token.kind === ',') return ''
    this.#at++
    if (!isWord(token)) refuseRequirement(`found '${token.text}', expected: identifier`)
    return token.text
  }

  /** `(a,b)`; an empty place between commas stands for the empty value. */
  #valueSet(): string[] {
    const open = this.#next()
    if (open.kind !== '(') refuseRequirement(`found '${open.text}' expected: '('`)
    const first = this.#peek()
    if (first.kind === ')') {
      this.#at++
      return ['']
    }
    if (!isWord(first) && first.kind !== ',') {
      refuseRequirement(`found '${first.text}', expected: ',', ')' or identifier`)
    }
    const values = new Set<string>()
    for (;;) {
      const token = this.#next()
      const following = this.#peek()
      if (isWord(token)) {
        values.add(token.text)
        if (following.kind === ',') continue
        if (following.kind !== ')') refuseRequirement(`found '${following.text}', expected: ',' or ')'`)
        break
      }
      if (token.kind !== ',') refuseRequirement(`found '${token.text}', expected: ',', or identifier`)
      if (values.size === 0 || following.kind === ',' || following.kind === ')') values.add('')
      if (following.kind === ')') break
    }
    this.#at++
    return sortedUnique(values)
  }
}

/** Parses `?labelSelector=`; throws ApiError 400 with upstream's sentence. */
export const parseLabelSelector = (text: string): CompiledSelector =>
  text === '' ? everythingSelector : compileRequirements(new LabelSelectorParser(text).parse())

/** The text that parses to the same selector. */
export const formatSelector = (selector: CompiledSelector): string =>
  selector.requirements
    .map(({ key, operator, values }) => {
      switch (operator) {
        case 'exists':
          return key
        case '!':
          return `!${key}`
        case 'in':
        case 'notin':
          return `${key} ${operator} (${sortedUnique(values).join(',')})`
        case 'gt':
          return `${key}>${values[0]}`
        case 'lt':
          return `${key}<${values[0]}`
        default:
          return `${key}${operator}${values[0]}`
      }
    })
    .join(',')

// ── LabelSelector objects ─────────────────────────────────────────────────────────────────────────────────────────

const expressionOperators: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
}

const compiledSelectors = new WeakMap<object, CompiledSelector>()

/**
 * Compiles a LabelSelector object: absent selects nothing, empty selects everything. Objects are taken as immutable, so
 * the result is remembered by identity. Throws ApiError 400 for what validateLabelSelector would have refused.
 */
export const compileLabelSelector = (selector: DecodedLabelSelector | null | undefined): CompiledSelector => {
  if (!selector) return nothingSelector
  const known = compiledSelectors.get(selector)
  if (known) return known
  const requirements: LabelRequirement[] = []
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    requirements.push({ key, operator: '=', values: [value] })
  }
  for (const { key = '', operator = '', values } of selector.matchExpressions ?? []) {
    const known = Object.hasOwn(expressionOperators, operator) ? expressionOperators[operator] : undefined
    if (!known) return refuse(`${quoted(operator)} is not a valid label selector operator`)
    requirements.push({ key, operator: known, values: values ?? [] })
  }
  for (const { key, operator, values } of requirements) {
    const problems = requirementProblems(key, operator, values)
    if (problems.length > 0) refuse(problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`)
  }
  const compiled = compileRequirements(requirements)
  compiledSelectors.set(selector, compiled)
  return compiled
}

/** A selector of a plain map, as Services and ReplicationControllers have: empty selects everything. */
export const compileLabelMap = (labels: Readonly<Record<string, string>> | null | undefined): CompiledSelector =>
  compileRequirements(Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: '=', values: [value] })))

/** Validates labels under a path, e.g. `metadata.labels`. */
export const validateLabels = (
  labels: Readonly<Record<string, string>> | null | undefined,
  path: string,
): StatusCause[] => {
  const causes: StatusCause[] = []
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const problem of labelKeyProblems(key)) causes.push(fieldErrors.invalidValue(path, key, problem))
    for (const problem of labelValueProblems(value)) causes.push(fieldErrors.invalidValue(path, value, problem))
  }
  return causes
}

/** Validates a LabelSelector object under a path, e.g. `spec.selector`. */
export const validateLabelSelector = (
  selector: DecodedLabelSelector | null | undefined,
  path: string,
): StatusCause[] => {
  if (!selector) return []
  const causes = validateLabels(selector.matchLabels, `${path}.matchLabels`)
  ;(selector.matchExpressions ?? []).forEach((expression, index) => {
    const at = `${path}.matchExpressions[${index}]`
    const values = expression.values ?? []
    if (expression.operator === 'In' || expression.operator === 'NotIn') {
      if (values.length === 0) {
        causes.push(fieldErrors.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
      }
    } else if (expression.operator === 'Exists' || expression.operator === 'DoesNotExist') {
      if (values.length > 0) {
        causes.push(
          fieldErrors.forbiddenField(
            `${at}.values`,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
          ),
        )
      }
    } else {
      causes.push(
        fieldErrors.invalidValue(`${at}.operator`, expression.operator ?? '', 'not a valid selector operator'),
      )
    }
    const key = expression.key ?? ''
    for (const problem of labelKeyProblems(key)) {
      causes.push(fieldErrors.invalidValue(`${at}.key`, key, problem))
    }
    values.forEach((value, valueIndex) => {
      for (const problem of labelValueProblems(value)) {
        causes.push(fieldErrors.invalidValue(`${at}.values[${valueIndex}]`, value, problem))
      }
    })
  })
  return causes
}

// ── field selectors ───────────────────────────────────────────────────────────────────────────────────────────────

export interface FieldRequirement {
  readonly field: string
  readonly operator: '=' | '!='
  readonly value: string
}

export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[]
  readonly everything: boolean
  /** Absent fields count as ''. */
  readonly matches: (fields: Readonly<Record<string, string | undefined>>) => boolean
}

const unescapeValue = (text: string): string => {
  if (!/[\\,=]/.test(text)) return text
  let value = ''
  let escaped = false
  for (const character of text) {
    if (escaped) {
      if (character !== '\\' && character !== ',' && character !== '=') {
        refuse(`invalid field selector: invalid escape sequence: \\${character}`)
      }
      value += character
      escaped = false
    } else if (character === '\\') escaped = true
    else if (character === ',' || character === '=') {
      refuse(`invalid field selector: unescaped character in value: ${character.codePointAt(0)}`)
    } else value += character
  }
  if (escaped) refuse('invalid field selector: invalid escape sequence: \\')
  return value
}

const splitTerms = (text: string): string[] => {
  const terms: string[] = []
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === ',') {
      terms.push(text.slice(start, i))
      start = i + 1
    }
  }
  terms.push(text.slice(start))
  return terms
}

/** Parses `?fieldSelector=`; throws ApiError 400 with upstream's sentence. Which fields a kind supports is not its business. */
export const parseFieldSelector = (text: string): FieldSelector => {
  const requirements: FieldRequirement[] = []
  for (const term of splitTerms(text).sort()) {
    if (term === '') continue
    const parts = /^([^=!]*(?:!(?!=)[^=!]*)*)(!=|==|=)(.*)$/s.exec(term)
    if (!parts) return refuse(`invalid selector: '${text}'; can't understand '${term}'`)
    const value = unescapeValue(parts[3]!)
    // As upstream, a requirement that names neither field nor value asks nothing.
    if (parts[1] === '' && value === '') continue
    requirements.push({ field: parts[1]!, operator: parts[2] === '!=' ? '!=' : '=', value })
  }
  return {
    requirements,
    everything: requirements.length === 0,
    matches: (fields) => {
      for (const { field, operator, value } of requirements) {
        const have = Object.hasOwn(fields, field) ? (fields[field] ?? '') : ''
        if ((have === value) !== (operator === '=')) return false
      }
      return true
    },
  }
}

/** Writes a value so that it can stand in a field selector. */
export const escapeFieldValue = (value: string): string => value.replace(/[\\,=]/g, (character) => `\\${character}`)

/** The value that a selector asks of a field, when it asks for exactly one (`metadata.name`: what a watch of one needs). */
export const requiredFieldValue = (selector: FieldSelector, field: string): string | undefined =>
  selector.requirements.find((requirement) => requirement.field === field && requirement.operator === '=')?.value
