// Names of signers: `example.com/signer-name`. Rights on signers are given by whole names, and by `example.com/*`.
import { invalidValue, required, tooLong } from '@shiplog/api/field-errors'
import type { StatusCause } from '@shiplog/api/status'
import {
  dns1123Label,
  dns1123Subdomain,
  dnsLabelCharactersMax,
  dnsSubdomainCharactersMax,
  type NameRule,
} from '../names.ts'

/** Signs certificates by which clients are known to the API server. */
export const apiServerClientSigner = 'kubernetes.io/kube-apiserver-client'

const charactersMax = dnsSubdomainCharactersMax + 1 + dnsSubdomainCharactersMax + dnsLabelCharactersMax + 1

/** The first label that is none tells of itself; those behind it would say the same. */
const validateLabels = (part: string, rule: NameRule, field: string): StatusCause[] => {
  for (const label of part.split('.')) {
    const sentences = rule(label)
    if (sentences.length > 0)
      return sentences.map((sentence) =>
        invalidValue(field, part, `validating label ${JSON.stringify(label)}: ${sentence}`),
      )
  }
  return []
}

export function validateSignerName(name: unknown, field: string): StatusCause[] {
  if (typeof name !== 'string' || name === '') return [required(field)]
  const [domain = '', path = '', ...more] = name.split('/')
  if (!name.includes('/') || more.length > 0)
    return [
      invalidValue(field, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ]
  const causes: StatusCause[] = []
  if (domain.length > dnsSubdomainCharactersMax) causes.push(tooLong(field, dnsSubdomainCharactersMax))
  causes.push(...validateLabels(domain, dns1123Label, field))
  if (!domain.includes('.'))
    causes.push(invalidValue(field, domain, 'should be a domain with at least two segments separated by dots'))
  causes.push(...validateLabels(path, dns1123Subdomain, field))
  if (name.length > charactersMax) causes.push(tooLong(field, charactersMax))
  return causes
}

/** The names under which a right on a signer may be given. */
export const signerRights = (signerName: string): readonly string[] => {
  const slash = signerName.indexOf('/')
  return slash < 0 ? [signerName] : [signerName, `${signerName.slice(0, slash)}/*`]
}
