// Names of children, derived instead of drawn. Two runners that see the same gap must choose the same name, so that the
// log's compare-and-set on the name lets only one of them fill it; and a name is used once only, so that a runner with
// an old view cannot bring back what has come and gone.

/** The alphabet of generated names: no vowels and no digits that look like letters (upstream's set). */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5
/** 27^5: how many suffixes there are. */
const suffixCount = alphabet.length ** suffixLength
/** Odd and no multiple of 3, so that multiplying by it permutes the suffixes. */
const stride = 8_675_309
/** As upstream: a generated name has room for its suffix within 63 characters. */
export const generateNameMax = 63 - suffixLength

/** FNV-1a, 32 bits. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

/** FNV-1, 32 bits: what upstream names ControllerRevisions by. */
export function fnv1(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text, 'utf8')) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0
  return hash
}

/** Writes digits (or any ASCII) in the safe alphabet, as upstream's SafeEncodeString does. */
export const safeEncode = (text: string): string =>
  [...text].map((character) => alphabet[character.charCodeAt(0) % alphabet.length]).join('')

/** The suffix of an owner's child number `serial`: different for all serials below 27^5, and as if random to the eye. */
export function childSuffix(ownerUid: string, serial: number): string {
  let value = Number((BigInt(serial) * BigInt(stride) + BigInt(fnv1a(ownerUid))) % BigInt(suffixCount))
  let suffix = ''
  for (let i = 0; i < suffixLength; i++) {
    suffix = alphabet[value % alphabet.length]! + suffix
    value = Math.floor(value / alphabet.length)
  }
  return suffix
}

/** `web-7c5ddbdf54-x8k2m` for the prefix `web-7c5ddbdf54-`. */
export const childName = (prefix: string, ownerUid: string, serial: number): string =>
  `${prefix.slice(0, generateNameMax)}${childSuffix(ownerUid, serial)}`

/**
 * The names for the next `count` children: the lowest serials whose name is not `taken` (by something that lives, or by
 * something that has gone). As every serial below the highest is used up first, a view that has missed something always
 * arrives at names that are used already, never at a further child.
 */
export function nextChildNames(
  prefix: string,
  ownerUid: string,
  count: number,
  taken: (name: string) => boolean,
): readonly string[] {
  const names: string[] = []
  for (let serial = 0; names.length < count && serial < suffixCount; serial++) {
    const name = childName(prefix, ownerUid, serial)
    if (!taken(name)) names.push(name)
  }
  return names
}

/** JSON with sorted keys, so that equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const record = value as Record<string, unknown>
  const fields = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`)
  return `{${fields.join(',')}}`
}

/** What Go's JSON encoder escapes beside what JSON must. */
const escapedByGo = /[<>&\u2028\u2029]/g

/** JSON as Go's encoder writes a map, byte for byte: sorted keys, and the characters of HTML escaped. */
export const goJson = (value: unknown): string =>
  canonicalJson(value).replace(
    escapedByGo,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
