// What expressions may ask of authorizers: `authorizer.group("apps").resource("deployments").check("create").allowed()`. Who
// answers is given with the variable; an answer that is not known yet ends the evaluation, to be begun again when it is.
import { EvaluationError, noSuchOverload, Opaque, type Value } from '../values.ts'
import { text, type Functions } from './arguments.ts'

export interface AskedUser {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** One question to authorizers. */
export interface AccessQuestion {
  readonly user: AskedUser
  readonly verb: string
  /** Of a path that is of no resource. */
  readonly path?: string
  readonly group?: string
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
}

export interface AccessAnswer {
  readonly allowed: boolean
  readonly reason: string
  readonly error?: string
}

export type Ask = (question: AccessQuestion) => AccessAnswer

/** The evaluation cannot go on before somebody has answered: no expression catches this. */
export class AnswerAwaited extends Error {
  readonly question: AccessQuestion
  constructor(question: AccessQuestion) {
    super('an answer of authorizers is awaited')
    this.question = question
  }
}

interface Check {
  readonly ask: Ask
  readonly asked: Omit<AccessQuestion, 'verb'>
}

const typeOf = (name: string): string => `kubernetes.authorization.${name}`

const checkIn = (value: Value | undefined, ...names: string[]): Check => {
  if (!(value instanceof Opaque) || !names.some((name) => value.type === typeOf(name))) throw noSuchOverload()
  return value.held as Check
}

const made = (name: string, check: Check): Opaque => new Opaque(typeOf(name), check)

type ResourceField = 'subresource' | 'namespace' | 'name' | 'fieldSelector' | 'labelSelector'

const narrowed =
  (field: ResourceField): Functions[string] =>
  ([check, value]) => {
    const { ask, asked } = checkIn(check, 'ResourceCheck')
    return made('ResourceCheck', { ask, asked: { ...asked, [field]: text(value) } })
  }

const notEmpty = (value: Value | undefined, what: string): string => {
  const given = text(value)
  if (given.trim() === '') throw new EvaluationError(`${what} must not be empty`)
  return given
}

const accountName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const namespaceName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

const serviceAccount = (namespace: string, name: string): AskedUser => {
  if (name.length > 253 || !accountName.test(name)) throw new EvaluationError('Invalid service account name')
  if (namespace.length > 63 || !namespaceName.test(namespace)) throw new EvaluationError('Invalid service account namespace')
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  }
}

const answerIn = (value: Value | undefined): AccessAnswer => {
  if (!(value instanceof Opaque) || value.type !== typeOf('Decision')) throw noSuchOverload()
  return value.held as AccessAnswer
}

export const authorizerFunctions: Functions = {
  path: ([authorizer, path]) => {
    const { ask, asked } = checkIn(authorizer, 'Authorizer')
    return made('PathCheck', { ask, asked: { user: asked.user, path: notEmpty(path, 'path') } })
  },
  group: ([authorizer, group]) => {
    const { ask, asked } = checkIn(authorizer, 'Authorizer')
    return made('GroupCheck', { ask, asked: { user: asked.user, group: text(group) } })
  },
  serviceAccount: ([authorizer, namespace, name]) => {
    const { ask } = checkIn(authorizer, 'Authorizer')
    return made('Authorizer', { ask, asked: { user: serviceAccount(text(namespace), text(name)) } })
  },
  resource: ([check, resource]) => {
    const { ask, asked } = checkIn(check, 'GroupCheck')
    return made('ResourceCheck', { ask, asked: { ...asked, resource: notEmpty(resource, 'resource') } })
  },
  subresource: narrowed('subresource'),
  namespace: narrowed('namespace'),
  name: narrowed('name'),
  fieldSelector: narrowed('fieldSelector'),
  labelSelector: narrowed('labelSelector'),
  check: ([check, verb]) => {
    const { ask, asked } = checkIn(check, 'PathCheck', 'ResourceCheck')
    return new Opaque(typeOf('Decision'), ask({ ...asked, verb: text(verb) }))
  },
  allowed: ([decision]) => answerIn(decision).allowed,
  reason: ([decision]) => answerIn(decision).reason,
  errored: ([decision]) => answerIn(decision).error !== undefined,
  error: ([decision]) => answerIn(decision).error ?? '',
}

/** The variable `authorizer`, and what the request itself is about as its `requestResource`. */
export const authorizerValue = (user: AskedUser, ask: Ask, request: Omit<AccessQuestion, 'user' | 'verb'>): Value => {
  const ofRequest = made('ResourceCheck', { ask, asked: { ...request, user } })
  return new Opaque(typeOf('Authorizer'), { ask, asked: { user } }, (name) =>
    name === 'requestResource' ? ofRequest : undefined,
  )
}
