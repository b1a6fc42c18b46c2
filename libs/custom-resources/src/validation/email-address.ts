// One address as Go's net/mail reads it (RFC 5322): `ada@example.org`, `Ada <ada@example.org>`, `"a b"@example.org`.

const atom = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+)*$/u
const quoted = /^"(?:[^"\\\r\n]|\\[^\r\n])*"$/
const literalDomain = /^\[[^[\]\\\r\n]+\]$/
const phrase = /^(?:"(?:[^"\\\r\n]|\\[^\r\n])*"|[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\s\u0080-\u{10ffff}])*$/u
/** Longer than any that can be delivered. */
const charactersMax = 4_096

const isPlain = (text: string): boolean => {
  const at = text.lastIndexOf('@')
  if (at <= 0) return false
  const [local, domain] = [text.slice(0, at).trimEnd(), text.slice(at + 1).trimStart()]
  return (atom.test(local) || quoted.test(local)) && (atom.test(domain) || literalDomain.test(domain))
}

export const isEmailAddress = (given: string): boolean => {
  if (given.length > charactersMax) return false
  const text = given.trim()
  if (!text.endsWith('>')) return isPlain(text)
  const open = text.lastIndexOf('<')
  return open >= 0 && isPlain(text.slice(open + 1, -1).trim()) && phrase.test(text.slice(0, open).trim())
}
