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
  const parts = partsOf(path.includes('%') ? decodeURIComponent(path) : path)
  const isCore = parts[0] === 'api'
  if (!isCore && parts[0] !== 'apis') return undefined
  let at = isCore ? 1 : 2
  if (parts.length < at + 2) return undefined
  const group = isCore ? '' : parts[1]!
  const version = parts[at++]!
  const watch = parts[at] === 'watch'
  if (watch) at++
  let namespace = ''
  const behind = parts.length - at
  if (parts[at] === 'namespaces' && behind > 1) {
    const isNamespaceItself = behind === 2 || (behind === 3 && namespaceSubresources.has(parts[at + 2]!))
    if (!isNamespaceItself) {
      namespace = parts[at + 1]!
      at += 2
    }
  }
  const resource = parts[at]
  if (!resource) return undefined
  const rest = parts.length > at + 3 ? parts.slice(at + 3).join('/') : ''
  return { group, version, resource, name: parts[at + 1] ?? '', subresource: parts[at + 2] ?? '', rest, namespace, watch }
}

/** What stands between slashes; nothing between two of them counts for nothing. Every request comes here. */
function partsOf(path: string): readonly string[] {
  const parts: string[] = []
  for (let from = 0; from < path.length; ) {
    const slash = path.indexOf('/', from)
    const end = slash < 0 ? path.length : slash
    if (end > from) parts.push(path.slice(from, end))
    from = end + 1
  }
  return parts
}
