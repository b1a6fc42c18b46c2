// Names of images, as the registries' tools read them: what is no name has no tag, and so no tag that moves.

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`
const tag = '[\\w][\\w.-]{0,127}'
const digest = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}'
const reference = new RegExp(`^((?:${domain}/)?${component}(?:/${component})*)(?::(${tag}))?(?:@(${digest}))?$`)
const identifier = /^[a-f0-9]{64}$/
const nameCharactersMax = 255
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 }

/** Whether an algorithm that is known has as many digits as it should. */
const isDigest = (text: string): boolean => {
  const [algorithm = '', digits = ''] = text.split(':')
  return digestLengths[algorithm] === digits.length && /^[a-f0-9]+$/.test(digits)
}

/** The tag that is pulled; '' for images by digest, undefined for what is no name of an image. */
export const imageTag = (image: string): string | undefined => {
  if (identifier.test(image)) return undefined
  // What comes before the first slash is a host only when it looks like one.
  const slash = image.indexOf('/')
  const host = slash < 0 ? '' : image.slice(0, slash)
  const isHost = /[.:]/.test(host) || host === 'localhost' || host.toLowerCase() !== host
  const full = slash < 0 ? `docker.io/library/${image}` : isHost ? image : `docker.io/${image}`
  const parts = reference.exec(full)
  if (!parts || parts[1]!.length > nameCharactersMax) return undefined
  if (parts[3] !== undefined && !isDigest(parts[3])) return undefined
  return parts[2] ?? (parts[3] === undefined ? 'latest' : '')
}

/** `Always` for `:latest` and untagged images, else `IfNotPresent`. */
export const defaultPullPolicy = (image: string): 'Always' | 'IfNotPresent' =>
  imageTag(image) === 'latest' ? 'Always' : 'IfNotPresent'
