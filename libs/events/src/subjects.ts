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
  if (subject.startsWith('evt.')) {
    const resourceAt = subject.indexOf('.', 4) + 1
    const namespaceAt = resourceAt > 0 ? subject.indexOf('.', resourceAt) + 1 : 0
    if (namespaceAt === 0) return undefined
    const group = subject.slice(4, resourceAt - 1)
    const resource = subject.slice(resourceAt, namespaceAt - 1)
    return addressAt(subject, namespaceAt, group === 'core' ? '' : decodeToken(group), decodeToken(resource))
  }
  if (subject.startsWith('lease.')) return addressAt(subject, 6, 'coordination.k8s.io', 'leases')
  if (subject.startsWith('oev.')) return addressAt(subject, 4, '', 'events')
  return undefined
}

/** The rest of a subject, `<namespace>.<name>`, and what came before it. */
function addressAt(subject: string, at: number, group: string, resource: string): ObjectAddress | undefined {
  const nameAt = subject.indexOf('.', at) + 1
  if (nameAt === 0 || subject.includes('.', nameAt)) return undefined
  const namespace = subject.slice(at, nameAt - 1)
  return {
    group,
    resource,
    namespace: namespace === '_' ? '' : decodeToken(namespace),
    name: decodeToken(subject.slice(nameAt)),
  }
}
