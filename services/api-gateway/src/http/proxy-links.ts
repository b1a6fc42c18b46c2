// What a proxy changes in answers so that who follows them stays behind it: redirects, and links in HTML. Upstream's rules
// (apimachinery's proxy transport): a URL of the proxied host, or one without a host and with an absolute path, gets the
// path of the proxy before its own.

export interface LinkRewriter {
  /** What the path of the request has before the part that is proxied: `/api/v1/namespaces/x/pods/y/proxy`. */
  readonly pathPrepend: string
  /** `10.244.0.7:8080` */
  readonly targetHost: string
  /** The Host header of the request. */
  readonly requestHost: string
}

export function rewriteUrl(text: string, { pathPrepend, targetHost, requestHost }: LinkRewriter): string {
  const parts = /^([A-Za-z][A-Za-z0-9+.-]*:)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/s.exec(text)
  if (!parts) return text
  const [, scheme = '', host = '', path = '', rest = ''] = parts
  const isElsewhere = host !== '' && host !== targetHost && host !== requestHost
  if (isElsewhere || !path.startsWith('/')) return text
  const origin = host !== '' && host === requestHost ? `${scheme}//${host}` : ''
  if (path.startsWith(pathPrepend)) return `${origin}${path}${rest}`
  return `${origin}${joinPaths(pathPrepend, path)}${rest}`
}

/** Joined and cleaned of `..` and doubled slashes; a slash at the end stays. */
export function joinPaths(...parts: readonly string[]): string {
  const clean: string[] = []
  for (const part of parts.join('/').split('/')) {
    if (part === '..') clean.pop()
    else if (part !== '' && part !== '.') clean.push(part)
  }
  const isSlashed = parts.at(-1)?.endsWith('/') === true && clean.length > 0
  return `/${clean.join('/')}${isSlashed ? '/' : ''}`
}

/** Which attributes of which elements hold URLs. */
const urlAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
}

/** Elements whose content is text, whatever it looks like. */
const rawText = new Set(['script', 'style', 'textarea', 'title', 'xmp', 'iframe', 'noembed', 'noframes', 'plaintext'])

const attribute = /([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'=<>`]+)/g
const tagName = /<([A-Za-z][^\s/>]*)/y
/** A longer tag stays as it is: looking at it would take too long, and a link that is long is no path. */
const tagCharactersMax = 8_192

/** Where a tag ends that begins before; -1 when it does not. A `>` in quotes is not its end. */
function endOfTag(html: string, from: number): number {
  for (let at = from; at < html.length; at++) {
    const character = html[at]!
    if (character === '>') return at
    if (character !== '"' && character !== "'") continue
    at = html.indexOf(character, at + 1)
    if (at < 0) return -1
  }
  return -1
}

/** Rewrites the links of a page; everything else stays byte for byte. */
export function rewriteHtml(html: string, links: LinkRewriter): string {
  const out: string[] = []
  let from = 0
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      const end = html.indexOf('-->', at + 4)
      if (end < 0) break
      at = end + 3
      continue
    }
    tagName.lastIndex = at
    const tag = tagName.exec(html)
    if (!tag) {
      at += 1
      continue
    }
    const end = endOfTag(html, tagName.lastIndex)
    // A tag without an end takes in all that is left.
    if (end < 0) break
    const name = tag[1]!.toLowerCase()
    const attributes = urlAttributes[name]
    if (attributes && end - at <= tagCharactersMax) {
      out.push(html.slice(from, at), tag[0], rewriteAttributes(html.slice(at + tag[0].length, end), attributes, links))
      from = end
    }
    at = rawText.has(name) ? endOfRawText(html, name, end) : end
  }
  out.push(html.slice(from))
  return out.join('')
}

function endOfRawText(html: string, name: string, from: number): number {
  const closing = new RegExp(`</${name}[\\s/>]`, 'gi')
  closing.lastIndex = from
  return closing.exec(html)?.index ?? html.length
}

function rewriteAttributes(text: string, names: readonly string[], links: LinkRewriter): string {
  return text.replace(attribute, (whole, name: string, equals: string, value: string) => {
    if (!names.includes(name.toLowerCase())) return whole
    const isQuoted = /^["']/.test(value)
    const before = unescapeHtml(isQuoted ? value.slice(1, -1) : value)
    const after = rewriteUrl(before, links)
    return after === before ? whole : `${name}${equals}"${escapeHtml(after)}"`
  })
}

const unescapeHtml = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|#39|#34);/g, (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#34': '"' })[name]!)

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' })[character]!)
