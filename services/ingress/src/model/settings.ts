// What annotations of an Ingress say of its requests. Each value is read as what it must be (a number within bounds, a word
// of a list) or reported and left out: no text of an object goes anywhere as text.

export interface Settings {
  /** Requests over plain HTTP to hosts with a certificate are sent to HTTPS. */
  readonly redirectToTls: boolean
  /** Larger bodies are refused with 413; 0: no bound. */
  readonly bodyBytesMax: number
  /** Between two signs of life of the pod; then 504. */
  readonly answerTimeoutMs: number
  /** A client stays with its pod, by a cookie. */
  readonly isSticky: boolean
}

/** ingress-nginx's: 1 MiB, 60 s. */
export const defaultSettings: Settings = {
  redirectToTls: true,
  bodyBytesMax: 1 << 20,
  answerTimeoutMs: 60_000,
  isSticky: false,
}

export const annotationPrefix = 'ingress.shiplog.dev/'
const bodyBytesLimit = 2 ** 40
const timeoutSecondsLimit = 86_400

export function readSettings(
  annotations: Readonly<Record<string, string>>,
  report: (sentence: string) => void,
): Settings {
  let settings = defaultSettings
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(annotationPrefix)) continue
    const read = readers.get(key.slice(annotationPrefix.length))
    const part = read?.(value)
    if (part === undefined) report(`annotation ${key}: ${read === undefined ? 'is not known' : 'has no valid value'}`)
    else settings = { ...settings, ...part }
  }
  return settings
}

const whole = (text: string, max: number): number | undefined =>
  /^\d{1,13}$/.test(text) && Number(text) <= max ? Number(text) : undefined

/** A Map: no name that an object has by itself is one of them. */
const readers = new Map<string, (text: string) => Partial<Settings> | undefined>(Object.entries({
  'ssl-redirect': (text: string) => (text === 'true' || text === 'false' ? { redirectToTls: text === 'true' } : undefined),
  'body-bytes-max': (text: string) => {
    const bodyBytesMax = whole(text, bodyBytesLimit)
    return bodyBytesMax === undefined ? undefined : { bodyBytesMax }
  },
  'answer-timeout-seconds': (text: string) => {
    const seconds = whole(text, timeoutSecondsLimit)
    return seconds ? { answerTimeoutMs: seconds * 1_000 } : undefined
  },
  affinity: (text: string) => (text === 'cookie' || text === 'none' ? { isSticky: text === 'cookie' } : undefined),
}))
