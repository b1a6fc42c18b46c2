// Texts as Go's %q prints them: upstream's error sentences quote names and values so.

const named: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

/** What a quoted text shows by an escape: quotes, backslashes, and what is not printable. */
const escaped = /["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu

/** `goQuote('a\u0000b')` is `"a\x00b"`. */
export const goQuote = (text: string): string => `"${text.toWellFormed().replace(escaped, escapeOf)}"`

const escapeOf = (character: string): string => {
  const known = named[character]
  if (known) return known
  const code = character.codePointAt(0)!
  const digits = code.toString(16)
  if (code < 0x80) return `\\x${digits.padStart(2, '0')}`
  return code < 0x1_0000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`
}
