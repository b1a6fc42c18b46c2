// ConfigMaps and Secrets end at 1 MiB: how much of it they use.
import { entries } from '../fields.ts'

/** Bound of all values of a ConfigMap or a Secret together, in bytes. */
export const dataBytesMax = 1024 * 1024

type Data = Readonly<Record<string, string>>

const utf8 = new TextEncoder()

/** Bytes of the values of a map of texts. */
export const textBytes = (data: Data | undefined): number => {
  let bytes = 0
  // Three bytes a UTF-16 unit is the worst case; encoding is only worth it when that could be too much.
  for (const [, value] of entries(data)) if (typeof value === 'string') bytes += value.length
  if (bytes * 3 <= dataBytesMax) return bytes
  bytes = 0
  for (const [, value] of entries(data)) if (typeof value === 'string') bytes += utf8.encode(value).length
  return bytes
}

/** Bytes of the decoded values of a map of base64 texts. */
export const base64Bytes = (data: Data | undefined): number => {
  let bytes = 0
  for (const [, value] of entries(data)) {
    if (typeof value !== 'string') continue
    const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0
    bytes += Math.floor((value.length * 3) / 4) - padding
  }
  return bytes
}
