// Asks policies: in this turn of the event loop where the question fits into it, on the thread of long checks where it does
// not. Whenever an expression wants to know who may do what, authorizers are asked, and the question is put again.
import type { AccessAnswer, AccessQuestion } from '@shiplog/cel/functions/authorizer'
import { inTurn } from '@shiplog/cel/meter'
import type { PolicyAnswer, PolicyQuestion } from '@shiplog/domain/policy/evaluate-policy'
import { policyCheck, questionKey, readVerdict } from '@shiplog/domain/write/policy-check'
import type { AttemptDeps } from '../write/attempts.ts'

export interface PolicyAnswerDeps {
  readonly makeLongCheck: AttemptDeps['makeLongCheck']
  readonly ask: (question: AccessQuestion) => AccessAnswer | Promise<AccessAnswer>
}

/** Permissions that expressions of one policy may ask for; each costs so much that there cannot be more. */
const questionsMax = 64

export async function answerOf({ makeLongCheck, ask }: PolicyAnswerDeps, question: PolicyQuestion): Promise<PolicyAnswer> {
  const known: Record<string, AccessAnswer> = {}
  for (let count = 0; count <= questionsMax; count++) {
    const check = policyCheck(question, known)
    const verdict = readVerdict(inTurn(check.run) ?? (await makeLongCheck(check)))
    if ('answer' in verdict) return verdict.answer
    known[questionKey(verdict.awaits)] = await ask(verdict.awaits)
  }
  return { error: 'too many permissions were asked for' }
}
