// What is found out about an admission policy: warnings of its type checking, and conditions.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { ValidatingAdmissionPolicyStatus } from '@shiplog/api/generated/types/admissionregistration-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { compileJsonPath, JsonPathError } from '@shiplog/api/json-path'
import type { StatusCause } from '@shiplog/api/status'
import { items } from '../fields.ts'
import { validateConditions } from '../status-rules.ts'

export const validatePolicyStatus = (status: Decoded<ValidatingAdmissionPolicyStatus> | undefined): StatusCause[] => [
  ...items(status?.typeChecking?.expressionWarnings).flatMap(({ warning, fieldRef = '' }, index) => {
    const at = `status.typeChecking.expressionWarnings[${index}]`
    return [...(warning ? [] : [required(`${at}.warning`)]), ...validateFieldRef(fieldRef.trim(), `${at}.fieldRef`)]
  }),
  ...validateConditions(status?.conditions, 'status.conditions'),
]

function validateFieldRef(fieldRef: string, field: string): StatusCause[] {
  if (fieldRef === '') return [required(field)]
  try {
    compileJsonPath(fieldRef)
    return []
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error
    return [invalidValue(field, fieldRef, `invalid JSONPath: ${error.message}`)]
  }
}
