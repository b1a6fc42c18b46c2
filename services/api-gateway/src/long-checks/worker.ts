// The thread that makes long checks (long-checks.ts): it gets one at a time, and answers with its causes.
import { parentPort } from 'node:worker_threads'
import type { JSONSchemaProps } from '@shiplog/api/generated/types/apiextensions-v1'
import { runLongCheck } from '@shiplog/domain/write/run-long-check'
import type { LongCheckInput } from '@shiplog/domain/write/long-check'
import type { Answer, Question } from './long-checks.ts'

/** Schemas by their numbers: a check brings the text of its schema only the first time. */
const schemas = new Map<number, JSONSchemaProps>()

const read = ({ input, schema }: Question): LongCheckInput => {
  const given = JSON.parse(input) as LongCheckInput
  if (!schema) return given
  if (schema.text !== undefined) schemas.set(schema.number, JSON.parse(schema.text) as JSONSchemaProps)
  return { ...given, schema: schemas.get(schema.number)! } as LongCheckInput
}

const answer = (question: Question): Answer => {
  if (question.forget) schemas.clear()
  try {
    return { causes: [...runLongCheck(read(question))] }
  } catch (error) {
    return { failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

parentPort!.on('message', (question: Question) => parentPort!.postMessage(answer(question)))
parentPort!.postMessage({ ready: true } satisfies Answer)
