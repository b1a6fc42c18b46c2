// A question to an admission policy as a check that may take longer than a turn of the event loop: its answer travels as a
// cause. What authorizers have said so far travels with it.
import type { StatusCause } from '@shiplog/api/status'
import { type AccessAnswer, type AccessQuestion, AnswerAwaited, type Ask } from '@shiplog/cel/functions/authorizer'
import { answerPolicy, type PolicyAnswer, type PolicyQuestion } from '../policy/evaluate-policy.ts'
import type { LongCheck, LongCheckInput } from './long-check.ts'

/** Answers of authorizers by their questions. */
export type KnownAnswers = Readonly<Record<string, AccessAnswer>>

export type PolicyVerdict = { readonly answer: PolicyAnswer } | { readonly awaits: AccessQuestion }

export const questionKey = (question: AccessQuestion): string => JSON.stringify(question)

const judged = (question: PolicyQuestion, ask: Ask): readonly StatusCause[] => {
  let verdict: PolicyVerdict
  try {
    verdict = { answer: answerPolicy(question, ask) }
  } catch (error) {
    if (!(error instanceof AnswerAwaited)) throw error
    verdict = { awaits: error.question }
  }
  return [{ message: JSON.stringify(verdict) }]
}

const askFrom =
  (known: KnownAnswers): Ask =>
  (question) => {
    const answer = known[questionKey(question)]
    if (!answer) throw new AnswerAwaited(question)
    return answer
  }

export const policyCheck = (question: PolicyQuestion, known: KnownAnswers): LongCheck => ({
  input: { of: 'policy', question, known },
  run: () => judged(question, askFrom(known)),
})

/** The same from its input alone. */
export const runPolicyCheck = ({ question, known }: Extract<LongCheckInput, { of: 'policy' }>): readonly StatusCause[] =>
  judged(question, askFrom(known))

export const readVerdict = ([cause]: readonly StatusCause[]): PolicyVerdict => JSON.parse(cause!.message) as PolicyVerdict
