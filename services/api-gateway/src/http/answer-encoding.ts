// How an answer is written, whatever it says: indented for who reads it with their own eyes, compressed for who asks for it.
import { createGzip, gzip } from 'node:zlib'
import { promisify } from 'node:util'
import type { ServerResponse } from 'node:http'
import { type InTurn, sendPieces } from './piece-stream.ts'

/** Shorter answers are not worth the time: upstream's threshold and level. */
export const gzipBytesMin = 128 * 1024
const gzipLevel = 1

const eyes = /^(curl|Wget|Mozilla\/5\.0)/
const truths = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])

/** As upstream: the query decides, else the client's name; `pretty=1` among the parameters of what is accepted counts, too. */
export function wantsIndent(asked: {
  readonly query: URLSearchParams
  readonly userAgent: string | undefined
  readonly accept: string | undefined
}): boolean {
  const said = asked.query.get('pretty')
  if (said) return truths.has(said)
  return eyes.test(asked.userAgent ?? '') || /;\s*pretty=1(;|,|\s|$)/.test(asked.accept ?? '')
}

/** As upstream: by the plain word alone, without a quality. */
export const acceptsGzip = (acceptEncoding: string | undefined): boolean =>
  acceptEncoding?.split(',').some((token) => token.trim() === 'gzip') ?? false

export const gzipHeaders = { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } as const

const compress = promisify(gzip)
/** In a thread of Node's pool: other requests are served meanwhile. */
export const gzipped = async (bytes: Buffer): Promise<Buffer> => await compress(bytes, { level: gzipLevel })

/** Sends pieces compressed, as fast as the client takes them. */
export async function sendGzipped(response: ServerResponse, pieces: Iterable<Buffer>, inTurn: InTurn): Promise<void> {
  const packed = createGzip({ level: gzipLevel })
  response.once('close', () => packed.destroy())
  packed.pipe(response)
  await sendPieces(packed as unknown as ServerResponse, pieces, inTurn)
}
