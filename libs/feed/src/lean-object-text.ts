// Who manages which field is half of a small object, and nobody who follows the object feed asks for it: the gateway
// fills it in again from the object itself when one is written back. So it is cut out before the text is parsed.

const metadataStart = '"metadata":{'
const managedFields = '"managedFields":['

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c

/** The text of a stored object without its own `metadata.managedFields`; one of the same name elsewhere stays. */
export function leanObjectText(text: string): string {
  const key = text.indexOf(managedFields)
  if (key < 0) return text
  // `kind` and `apiVersion` come first and hold no quotes, so the first match is the object's own metadata.
  const metadata = text.indexOf(metadataStart)
  if (metadata < 0 || metadata > key) return text
  // The key is metadata's own when nothing is open between the two.
  if (closing(text, metadata + metadataStart.length, key) !== key) return text
  const end = closing(text, key + managedFields.length, text.length) + 1
  if (text.charCodeAt(end) === comma) return text.slice(0, key) + text.slice(end + 1)
  return text.slice(0, text.charCodeAt(key - 1) === comma ? key - 1 : key) + text.slice(end)
}

/** Where what is open at `from` closes, or `to` when it is still open there with nothing else; -1 when more is. */
function closing(text: string, from: number, to: number): number {
  let depth = 0
  for (let at = from; at < to; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at)
        break
      case openBrace:
      case openBracket:
        depth++
        break
      case closeBrace:
      case closeBracket:
        if (depth-- === 0) return at
        break
      default:
        break
    }
  }
  return depth === 0 ? to : -1
}

/** The index of the quote that ends the string which begins at `start`: the next one with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let end = start; ; ) {
    end = text.indexOf('"', end + 1)
    let before = end - 1
    while (text.charCodeAt(before) === backslash) before--
    if ((end - before) % 2 === 1) return end
  }
}
