// Names of images: the registry and tag that are meant where none is said, and when an image is pulled. Pure.

const reference =
  /^(?:(?<host>(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)\/)?(?<path>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[a-z0-9]+:[a-fA-F0-9]{32,}))?$/

const dockerHub = 'docker.io'

interface ImageName {
  readonly host: string
  readonly path: string
  readonly tag: string | undefined
  readonly digest: string | undefined
}

function parse(image: string): ImageName | undefined {
  const groups = reference.exec(image)?.groups
  if (groups === undefined) return undefined
  const { host = '', path = '', tag, digest } = groups as Record<string, string | undefined>
  // The first part is a registry only when it looks like one, or could not be a path.
  const isHost = /[.:]/.test(host) || host === 'localhost' || host !== host.toLowerCase()
  const whole = isHost || host === '' ? path : `${host}/${path}`
  const registry = isHost ? host : dockerHub
  return { host: registry, path: registry === dockerHub && !whole.includes('/') ? `library/${whole}` : whole, tag, digest }
}

/** The full name; undefined for what cannot be one. */
export function imageNameOf(image: string): string | undefined {
  const name = parse(image)
  if (name === undefined) return undefined
  const { host, path, tag, digest } = name
  const suffix = digest === undefined ? `:${tag ?? 'latest'}` : `${tag === undefined ? '' : `:${tag}`}@${digest}`
  return `${host}/${path}${suffix}`
}

/** What is asked for, else by the tag: the newest is always looked for again. */
export function pullPolicyOf(image: string, asked: string | undefined): string {
  if (asked) return asked
  const name = parse(image)
  return name?.digest === undefined && (name?.tag ?? 'latest') === 'latest' ? 'Always' : 'IfNotPresent'
}

/** The place of an image without tag and digest, which credentials are for: `docker.io/library/nginx`. */
export function repositoryOf(image: string): string | undefined {
  const name = parse(image)
  return name && `${name.host}/${name.path}`
}
