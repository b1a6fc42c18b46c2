// Subjects: where a record stands. `evt.<group>.<resource>.<namespace>.<name>`; core group is `core`, cluster scope `_`.
// Kubernetes names may hold what a subject token cannot (dots, and for RBAC also `:`, `*`, `>` and spaces), so every
// token is percent-encoded in one canonical way: only A–Z a–z 0–9 - _ ~ stand for themselves. A token of a literal `_`
// name is encoded as `%5F`, so that it can never be taken for "no namespace".

/** Where one object lives. `namespace` is '' for cluster-scoped resources, `group` is '' for core. */
export interface ObjectAddress {
  readonly group: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
}

/** Longest subject that is appended; NATS itself has no lower practical bound. */
export const subjectBytesMax = 1024

const plain = /^[A-Za-z0-9\-_~]+$/

/** Encodes one name as one subject token; the result is never empty, and `decodeToken` gives the name back. */
export function encodeToken(text: string): string {
  if (text === '') return '%'
  if (text === '_') return '%5F'
  if (plain.test(text)) return text
  let token = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte)
    token += byte < 0x80 && plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return token
}

export function decodeToken(token: string): string {
  if (token === '%') return ''
  return token.includes('%') ? decodeURIComponent(token) : token
}

/** The stream's prefix of a resource: Leases and Event objects live in streams of their own. */
const prefixOf = (group: string, resource: string): string =>
  resource === 'leases' && group === 'coordination.k8s.io'
    ? 'lease'
    : resource === 'events' && (group === '' || group === 'events.k8s.io')
      ? 'oev'
      : `evt.${group === '' ? 'core' : encodeToken(group)}.${encodeToken(resource)}`

/** `evt.apps.deployments.default.web`, `evt.core.nodes._.node-0`, `lease.kube-node-lease.node-0`. */
export function objectSubject(address: ObjectAddress): string {
  const namespace = address.namespace === '' ? '_' : encodeToken(address.namespace)
  return `${prefixOf(address.group, address.resource)}.${namespace}.${encodeToken(address.name)}`
}

/** A filter for all objects of a resource: `evt.apps.deployments.>`. */
export const resourceFilter = (group: string, resource: string): string => `${prefixOf(group, resource)}.>`

/** The address of an object subject; undefined for guards, decisions and seals. */
export function parseObjectSubject(subject: string): ObjectAddress | undefined {
  const tokens = subject.split('.')
  const namespaceOf = (token: string): string => (token === '_' ? '' : decodeToken(token))
  if (tokens[0] === 'evt' && tokens.length === 5) {
    const [, group, resource, namespace, name] = tokens as [string, string, string, string, string]
    return {
      group: group === 'core' ? '' : decodeToken(group),
      resource: decodeToken(resource),
      namespace: namespaceOf(namespace),
      name: decodeToken(name),
    }
  }
  if (tokens[0] === 'lease' && tokens.length === 3) {
    return {
      group: 'coordination.k8s.io',
      resource: 'leases',
      namespace: namespaceOf(tokens[1]!),
      name: decodeToken(tokens[2]!),
    }
  }
  if (tokens[0] === 'oev' && tokens.length === 3) {
    return { group: '', resource: 'events', namespace: namespaceOf(tokens[1]!), name: decodeToken(tokens[2]!) }
  }
  return undefined
}
