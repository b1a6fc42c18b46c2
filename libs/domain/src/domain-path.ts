// `acme.io/foo`: how those who are no part of Kubernetes sign what they manage.
import { invalidValue, required } from '@shiplog/api/field-errors'
import type { StatusCause } from '@shiplog/api/status'
import { dns1123Subdomain } from './names.ts'

export const validateDomainPath = (path: string, field: string): StatusCause[] => {
  if (path === '') return [required(field)]
  const [domain = '', ...rest] = path.split('/')
  if (domain === '' || rest.join('/') === '')
    return [invalidValue(field, path, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  return dns1123Subdomain(domain).map((sentence) => invalidValue(field, domain, sentence))
}
