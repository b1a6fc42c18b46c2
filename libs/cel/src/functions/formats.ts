// Named formats: `format.dns1123Label().validate("a")`, in the sentences of k8s.io/apimachinery.
import { labelKeyProblems, labelValueProblems } from '@shiplog/api/selectors'
import { EvaluationError } from '../values.ts'
import { parseTimestamp } from './times.ts'
import { readUrl } from './urls.ts'

export const formatType = 'kubernetes.NamedFormat'

export interface NamedFormat {
  readonly name: string
  readonly problems: (text: string) => readonly string[]
  /** How long an expression for it would be: what validation costs. */
  readonly size: number
}

const labelPattern = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomainPattern = `${labelPattern}(\\.${labelPattern})*`
const dns1035Pattern = '[a-z]([-a-z0-9]*[a-z0-9])?'

interface Dns {
  readonly pattern: string
  readonly max: number
  readonly sentence: string
}

const label: Dns = {
  pattern: labelPattern,
  max: 63,
  sentence: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${labelPattern}')`,
}
const subdomain: Dns = {
  pattern: subdomainPattern,
  max: 253,
  sentence: `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomainPattern}')`,
}
const dns1035: Dns = {
  pattern: dns1035Pattern,
  max: 63,
  sentence: `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '${dns1035Pattern}')`,
}

const dnsProblems =
  ({ pattern, max, sentence }: Dns, isPrefix: boolean) =>
  (given: string): string[] => {
    const text = isPrefix && given.length > 1 && given.endsWith('-') ? `${given.slice(0, -1)}a` : given
    const fits = new RegExp(`^${pattern}$`).test(text)
    const isSubdomain = pattern === labelPattern && new RegExp(`^${subdomainPattern}$`).test(text)
    return [
      ...(text.length > max ? [`must be no more than ${max} bytes`] : []),
      ...(fits ? [] : [isSubdomain ? 'must not contain dots' : sentence]),
    ]
  }

const matching =
  (form: RegExp, sentence: string) =>
  (text: string): string[] =>
    form.test(text) ? [] : [sentence]

const uriProblems = (text: string): string[] => {
  try {
    readUrl(text)
    return []
  } catch (error) {
    if (error instanceof EvaluationError) return [error.message.replace(/^URL parse error during conversion from string: /, '')]
    throw error
  }
}

const isDate = (text: string): boolean => {
  try {
    parseTimestamp(`${text}T00:00:00Z`)
    return true
  } catch {
    return false
  }
}

const dateTimeForm = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/

const isDateTime = (text: string): boolean => {
  const [date = '', time] = text.toLowerCase().split('t')
  return time !== undefined && isDate(date) && dateTimeForm.test(time)
}

const formats: Readonly<Record<string, NamedFormat>> = {
  dns1123Label: { name: 'DNS1123Label', problems: dnsProblems(label, false), size: 30 },
  dns1123Subdomain: { name: 'DNS1123Subdomain', problems: dnsProblems(subdomain, false), size: 60 },
  dns1035Label: { name: 'DNS1035Label', problems: dnsProblems(dns1035, false), size: 30 },
  qualifiedName: { name: 'QualifiedName', problems: labelKeyProblems, size: 60 },
  dns1123LabelPrefix: { name: 'DNS1123LabelPrefix', problems: dnsProblems(label, true), size: 30 },
  dns1123SubdomainPrefix: { name: 'DNS1123SubdomainPrefix', problems: dnsProblems(subdomain, true), size: 60 },
  dns1035LabelPrefix: { name: 'DNS1035LabelPrefix', problems: dnsProblems(dns1035, true), size: 30 },
  labelValue: { name: 'LabelValue', problems: labelValueProblems, size: 40 },
  uri: { name: 'URI', problems: uriProblems, size: 1_000 },
  uuid: {
    name: 'uuid',
    problems: matching(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i, 'does not match the UUID format'),
    size: 80,
  },
  byte: {
    name: 'byte',
    problems: matching(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/, 'invalid base64'),
    size: 85,
  },
  date: { name: 'date', problems: (text) => (isDate(text) ? [] : ['invalid date']), size: 84 },
  datetime: { name: 'datetime', problems: (text) => (isDateTime(text) ? [] : ['invalid datetime']), size: 84 },
}

export const formatNamed = (name: string): NamedFormat | undefined =>
  Object.hasOwn(formats, name) ? formats[name] : undefined

