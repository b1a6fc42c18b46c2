// Where devices are: a pool of a driver, on nodes.
import { required, tooLong } from '@shiplog/api/field-errors'
import type { NodeSelector } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import type { StatusCause } from '@shiplog/api/status'
import { byRule, items } from '../fields.ts'
import { dns1123Subdomain } from '../names.ts'
import { validateNodeTerm } from '../pod/scheduling-validation.ts'

const poolNameCharactersMax = 253

export const validatePoolName = (name: string | undefined, field: string): StatusCause[] =>
  name
    ? [
        ...(name.length > poolNameCharactersMax ? [tooLong(field, poolNameCharactersMax)] : []),
        ...name.split('/').flatMap((part) => byRule(dns1123Subdomain, part, field)),
      ]
    : [required(field)]

export const validateNodeSelector = (selector: Decoded<NodeSelector> | undefined, field: string): StatusCause[] => {
  if (!selector) return []
  const terms = items(selector.nodeSelectorTerms)
  const at = `${field}.nodeSelectorTerms`
  return terms.length === 0
    ? [required(at, 'must have at least one node selector term')]
    : terms.flatMap((term, index) => validateNodeTerm(term, `${at}[${index}]`, true))
}
