// What a path asks for: the rules of k8s.io/apiserver/pkg/endpoints/request/requestinfo.go, as a pure function.

export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  /** Path behind the subresource, for proxies: `a/b`. */
  readonly rest: string
  readonly namespace: string
  readonly name: string
  /** The deprecated `/watch/` prefix was used. */
  readonly watch: boolean
}

/** Subresources of namespaces; anything else behind a namespace's name is a resource in it. */
const namespaceSubresources = new Set(['status', 'finalize'])

/** Undefined when the path is not of a resource (`/version`, `/apis/apps/v1`); throws URIError on broken escapes. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  // Decoded first, as upstream: an escaped slash is a slash.
  const parts = (path.includes('%') ? decodeURIComponent(path) : path).split('/').filter((part) => part !== '')
  let group = ''
  let rest: string[]
  if (parts[0] === 'api' && parts.length >= 3) {
    rest = parts.slice(1)
  } else if (parts[0] === 'apis' && parts.length >= 4) {
    group = parts[1]!
    rest = parts.slice(2)
  } else {
    return undefined
  }
  const version = rest.shift()!
  const watch = rest[0] === 'watch'
  if (watch) rest.shift()
  let namespace = ''
  if (rest[0] === 'namespaces' && rest.length > 1) {
    const isNamespaceItself = rest.length === 2 || (rest.length === 3 && namespaceSubresources.has(rest[2]!))
    if (!isNamespaceItself) {
      namespace = rest[1]!
      rest = rest.slice(2)
    }
  }
  const [resource, name = '', subresource = '', ...more] = rest
  if (!resource) return undefined
  return { group, version, resource, name, subresource, rest: more.join('/'), namespace, watch }
}
