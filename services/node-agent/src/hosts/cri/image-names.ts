// Names of images: the registry and tag that are meant where none is said, when an image is pulled, and whose credentials
// fit. Pure.
import type { Secret } from '@shiplog/api/generated/types/core-v1'
import type { RegistryCredentials } from '@shiplog/node/cri/cri-client'

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

interface DockerAuth {
  readonly username?: string
  readonly password?: string
  readonly auth?: string
  readonly identitytoken?: string
}

/** Credentials for this image among pull secrets, the most exact ones first. */
export function credentialsFor(image: string, secrets: readonly Pick<Secret, 'data'>[]): RegistryCredentials[] {
  const name = parse(image)
  if (name === undefined) return []
  const wanted = `${name.host}/${name.path}`
  return secrets
    .flatMap(authsOf)
    .filter(([place]) => fits(place, wanted))
    .sort(([a], [b]) => b.length - a.length)
    .map(([, { username, password, auth, identitytoken }]) => {
      const [user, ...rest] = auth ? Buffer.from(auth, 'base64').toString('utf8').split(':') : []
      return {
        ...(username || user ? { username: username || user! } : {}),
        ...(password || rest.length > 0 ? { password: password || rest.join(':') } : {}),
        ...(identitytoken ? { identityToken: identitytoken } : {}),
      }
    })
}

function authsOf({ data }: Pick<Secret, 'data'>): (readonly [place: string, auth: DockerAuth])[] {
  const read = (key: string): Record<string, unknown> => {
    try {
      return JSON.parse(Buffer.from(data?.[key] ?? '', 'base64').toString('utf8')) as Record<string, unknown>
    } catch {
      return {}
    }
  }
  const auths = (read('.dockerconfigjson') as { readonly auths?: Record<string, DockerAuth> }).auths ?? {}
  return [...Object.entries(auths), ...Object.entries(read('.dockercfg') as Record<string, DockerAuth>)].map(
    ([place, auth]) => [place.replace(/^https?:\/\//, '').replace(/\/v[12]\/?$/, '').replace(/\/$/, ''), auth] as const,
  )
}

/** A place is a registry, or a part of one; `*` stands for one part of the host's name. */
function fits(place: string, wanted: string): boolean {
  const [host = '', ...path] = place.split('/')
  const [ofHost = '', ...ofPath] = wanted.split('/')
  const isHub = ofHost === dockerHub && (host === 'index.docker.io' || host === dockerHub)
  const pattern = new RegExp(`^${host.split('.').map((part) => (part === '*' ? '[^.]+' : part.replace(/[^\w-]/g, '\\$&'))).join('\\.')}$`)
  return (isHub || pattern.test(ofHost)) && path.every((part, index) => ofPath[index] === part)
}
