// What a name may look like, in the sentences of k8s.io/apimachinery/pkg/util/validation and pkg/api/validate/content.
// Each rule answers with the sentences that say what is wrong; an empty list means the value is fine.

import { labelKeyProblems, labelValueProblems } from '@shiplog/api/selectors'

/** A rule for names: the sentences that say why `value` is not one. */
export type NameRule = (value: string) => readonly string[]

const none: readonly string[] = []

/** `msg (e.g. 'a',  or 'b', regex used for validation is '…')`, byte for byte as upstream joins it. */
export const regexSentence = (message: string, pattern: string, ...examples: readonly string[]): string =>
  examples.length === 0
    ? `${message} (regex used for validation is '${pattern}')`
    : `${message} (e.g. ${examples.map((example) => `'${example}', `).join(' or ')}regex used for validation is '${pattern}')`

/** `must be no more than 63 characters`. */
export const tooManyCharacters = (max: number): string => `must be no more than ${max} characters`

/** `must be between 1 and 65535, inclusive`. */
export const inclusiveRange = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`

const labelPattern = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomainPattern = `${labelPattern}(\\.${labelPattern})*`
const dns1035Pattern = '[a-z]([-a-z0-9]*[a-z0-9])?'
const configMapKeyPattern = '[-._a-zA-Z0-9]+'
const wildcardPattern = `\\*\\.${subdomainPattern}`
const headerPattern = '[-A-Za-z0-9]+'
const percentPattern = '[0-9]+%'

const labelRegex = new RegExp(`^${labelPattern}$`)
const subdomainRegex = new RegExp(`^${subdomainPattern}$`)
const dns1035Regex = new RegExp(`^${dns1035Pattern}$`)
const configMapKeyRegex = new RegExp(`^${configMapKeyPattern}$`)
const wildcardRegex = new RegExp(`^${wildcardPattern}$`)
const headerRegex = new RegExp(`^${headerPattern}$`)
const percentRegex = new RegExp(`^${percentPattern}$`)

/** Longest DNS-1123 label and DNS-1035 label, in characters. */
export const dnsLabelCharactersMax = 63
/** Longest DNS-1123 subdomain, in characters. */
export const dnsSubdomainCharactersMax = 253

const subdomainSentence = regexSentence(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  subdomainPattern,
  'example.com',
)
const labelSentence = regexSentence(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  labelPattern,
  'my-name',
  '123-abc',
)
const dns1035Sentence = regexSentence(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  dns1035Pattern,
  'my-name',
  'abc-123',
)

/** Names of most kinds. */
export const dns1123Subdomain: NameRule = (value) => {
  if (value.length <= dnsSubdomainCharactersMax && subdomainRegex.test(value)) return none
  const sentences: string[] = []
  if (value.length > dnsSubdomainCharactersMax) sentences.push(tooManyCharacters(dnsSubdomainCharactersMax))
  if (!subdomainRegex.test(value)) sentences.push(subdomainSentence)
  return sentences
}

const searchLabelPattern = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const searchPattern = `${searchLabelPattern}(\\.${searchLabelPattern})*`
const searchRegex = new RegExp(`^${searchPattern}$`)

/** Domains that a pod's resolver searches: underscores are fine there. */
export const searchDomain: NameRule = (value) => {
  if (value === '.') return none
  const sentences: string[] = []
  if (value.length > dnsSubdomainCharactersMax) sentences.push(tooManyCharacters(dnsSubdomainCharactersMax))
  if (!searchRegex.test(value))
    sentences.push(
      regexSentence(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
        searchPattern,
        'example.com',
      ),
    )
  return sentences
}

/** Names of namespaces, containers, volumes. */
export const dns1123Label: NameRule = (value) => {
  if (value.length <= dnsLabelCharactersMax && labelRegex.test(value)) return none
  const sentences: string[] = []
  if (value.length > dnsLabelCharactersMax) sentences.push(tooManyCharacters(dnsLabelCharactersMax))
  if (!labelRegex.test(value)) sentences.push(subdomainRegex.test(value) ? 'must not contain dots' : labelSentence)
  return sentences
}

/** Names of services. */
export const dns1035Label: NameRule = (value) => {
  const sentences: string[] = []
  if (value.length > dnsLabelCharactersMax) sentences.push(tooManyCharacters(dnsLabelCharactersMax))
  if (!dns1035Regex.test(value)) sentences.push(dns1035Sentence)
  return sentences
}

/** Names that only have to fit into a URL: roles, bindings. */
export const pathSegment: NameRule = (value) => {
  if (value === '.' || value === '..') return [`may not be '${value}'`]
  return ['/', '%'].filter((text) => value.includes(text)).map((text) => `may not contain '${text}'`)
}

/** `*.example.com`. */
export const wildcardSubdomain: NameRule = (value) => {
  const sentences: string[] = []
  if (value.length > dnsSubdomainCharactersMax) sentences.push(tooManyCharacters(dnsSubdomainCharactersMax))
  if (!wildcardRegex.test(value))
    sentences.push(
      regexSentence(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        wildcardPattern,
        '*.example.com',
      ),
    )
  return sentences
}

/** Keys of labels and annotations, finalizers, taints: `example.com/MyName`. */
export const qualifiedName: NameRule = labelKeyProblems

/** Values of labels. */
export const labelValue: NameRule = labelValueProblems

const changesDirectory = (value: string): readonly string[] =>
  value === '.'
    ? ["must not be '.'"]
    : value === '..'
      ? ["must not be '..'"]
      : value.startsWith('..')
        ? ["must not start with '..'"]
        : none

/** Keys of ConfigMaps and Secrets. */
export const configMapKey: NameRule = (value) => {
  const sentences: string[] = []
  if (value.length > dnsSubdomainCharactersMax) sentences.push(tooManyCharacters(dnsSubdomainCharactersMax))
  if (!configMapKeyRegex.test(value))
    sentences.push(
      regexSentence(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        configMapKeyPattern,
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    )
  return [...sentences, ...changesDirectory(value)]
}

/** Names of environment variables (relaxed, as since 1.34). */
export const envVarName: NameRule = (value) => {
  if (value.length === 0) return ['environment variable name must be non-empty']
  for (const character of value)
    if (character < ' ' || character > '~' || character === '=')
      return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
  return none
}

/** Names of container ports. */
export const portName: NameRule = (value) => {
  const sentences: string[] = []
  if (value.length > 15) sentences.push(tooManyCharacters(15))
  if (!/^[-a-z0-9]+$/.test(value))
    sentences.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) sentences.push('must contain at least one letter (a-z)')
  if (value.includes('--')) sentences.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) sentences.push('must not begin or end with a hyphen')
  return sentences
}

/** Port numbers. */
export const portNumber = (value: unknown): readonly string[] =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535 ? none : [inclusiveRange(1, 65_535)]

/** Names of HTTP headers. */
export const httpHeaderName: NameRule = (value) =>
  headerRegex.test(value)
    ? none
    : [
        regexSentence(
          "a valid HTTP header must consist of alphanumeric characters or '-'",
          headerPattern,
          'X-Header-Name',
        ),
      ]

/** `25%`. */
export const percent: NameRule = (value) =>
  percentRegex.test(value)
    ? none
    : [
        regexSentence(
          "a valid percent string must be a numeric string followed by an ending '%'",
          percentPattern,
          '1%',
          '93%',
        ),
      ]
