// The path of a request as routes are matched against it: percent-decoded, with `.` and `..` and repeated slashes resolved,
// so that nobody reaches `/admin` under the name `/public/../admin`. The pod is sent what the client wrote.

/** Longer targets are refused with 414, as nginx's large_client_header_buffers have it. */
export const targetBytesMax = 8_192

/** Undefined for what is no path: it is refused with 400. `target` is as on the request line, without authority. */
export function pathForRouting(target: string): string | undefined {
  // HTTP/2 lets characters through that no request line of HTTP/1.1 can hold.
  if (!target.startsWith('/') || /[^\u0021-\u007e\u0080-\u00ff]/.test(target)) return undefined
  const end = target.search(/[?#]/)
  const raw = end < 0 ? target : target.slice(0, end)
  let decoded: string
  try {
    decoded = raw.includes('%') ? decodeURIComponent(raw) : raw
  } catch {
    return undefined
  }
  // A backslash is a slash to some servers, and a control character ends the string in others.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(decoded)) return undefined
  if (!/\/\.|\/\//.test(decoded)) return decoded
  return resolveDots(decoded)
}

function resolveDots(path: string): string | undefined {
  const kept: string[] = []
  const parts = path.split('/').slice(1)
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1
    if (part === '..') {
      if (kept.pop() === undefined) return undefined
    } else if (part !== '.' && part !== '') kept.push(part)
    if (isLast && (part === '' || part === '.' || part === '..') && kept.length > 0) kept.push('')
  }
  return `/${kept.join('/')}`
}

/** The host of a Host or :authority header, lower case and without port; undefined when it is none. */
export function hostOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const found = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::\d{0,5})?$/.exec(header)
  const host = found?.[1]?.toLowerCase()
  return host?.endsWith('.') ? host.slice(0, -1) : host
}
