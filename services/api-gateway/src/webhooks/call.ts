// One webhook asked about one write: the review, and what may come back. Every way in which it can fail has upstream's
// sentence (k8s.io/apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go).
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { JsonObject } from '@shiplog/api/kube-object'
import { ApiError, badRequest } from '@shiplog/api/status'
import type { Hook } from '@shiplog/domain/webhook/hooks'
import {
  noReviewVersion,
  readReview,
  refusalOf,
  requestOf,
  type ReviewAnswer,
  reviewOf,
  reviewVersionOf,
} from '@shiplog/domain/webhook/review'
import type { AskedWrite } from '@shiplog/domain/write/async-admission'
import type { Ids } from '@shiplog/runtime/ids'
import type { Invocation } from './invocation.ts'
import { NoAnswer, type WebhookClient } from './webhook-client.ts'

/** The webhook could not be asked, or made no sense: what then happens says its failure policy. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed'
  /** Under which upstream counts it. */
  readonly code: number
  constructor(webhook: string, why: string, code: number) {
    super(`failed calling webhook ${goQuote(webhook)}: ${why}`)
    this.code = code
  }
}

/** The webhook said no. */
export class Refused extends ApiError {}

export interface CallDeps {
  readonly client: WebhookClient
  readonly ids: Ids
  /** Ends all calls. */
  readonly stopped: AbortSignal
}

const timeoutSecondsByDefault = 10

/** The objects of a write, as the webhook knows them. */
export interface ShownObjects {
  readonly object: JsonObject | undefined
  readonly oldObject: JsonObject | undefined
}

export async function showObjects({ object, before }: AskedWrite, { form }: Invocation): Promise<ShownObjects> {
  // A copy: what a webhook makes of the draft is compared with what it was shown.
  return { object: object && { ...(await form.show(object)) }, oldObject: before && (await form.show(before)) }
}

/** The answer of a webhook that allows the write. Throws Refused, CallFailed, or ApiError. */
export async function callHook(
  { client, ids, stopped }: CallDeps,
  hook: Hook,
  asked: AskedWrite,
  { resource, form }: Invocation,
  objects: ShownObjects,
): Promise<ReviewAnswer> {
  const { name, clientConfig, admissionReviewVersions, sideEffects, timeoutSeconds } = hook.webhook
  if (asked.dryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun')
    throw new ApiError(badRequest(`admission webhook ${goQuote(name)} does not support dry run`))
  const version = reviewVersionOf(admissionReviewVersions ?? [])
  if (!version) throw new CallFailed(name, `could not create admission objects: ${noReviewVersion}`, 400)
  const uid = ids.uuid()
  const requested = { resource: asked.kind.resource, form: asked.form(asked.kind.resource) }
  const review = reviewOf(version, uid, requestOf(asked, { resource, form }, requested), objects)
  const said = await failing(name, client.post(clientConfig, review, timeoutSeconds ?? timeoutSecondsByDefault, stopped))
  const answer = readReview(said, { version, uid, mutating: hook.type === 'admit' })
  if ('problem' in answer) throw new CallFailed(name, `received invalid webhook response: ${answer.problem}`, 503)
  const { notes } = asked
  for (const [key, value] of Object.entries(answer.auditAnnotations)) notes.annotations.set(`${name}/${key}`, value)
  notes.warnings.push(...answer.warnings)
  if (!answer.allowed) throw new Refused(refusalOf(name, answer.result))
  return answer
}

async function failing<Result>(webhook: string, asking: Promise<Result>): Promise<Result> {
  try {
    return await asking
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    throw new CallFailed(webhook, `failed to call webhook: ${error.message}`, error.code)
  }
}
