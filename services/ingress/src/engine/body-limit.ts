// A body whose length nobody said is counted as it passes.
import { type Readable, Transform } from 'node:stream'

export class BodyTooLarge extends Error {}

export function limited(body: Readable, bytesMax: number): Readable {
  if (bytesMax === 0) return body
  let seen = 0
  const counting = new Transform({
    transform(chunk: Buffer, _, done) {
      seen += chunk.length
      if (seen > bytesMax) done(new BodyTooLarge('the body is larger than this Ingress allows'))
      else done(null, chunk)
    },
  })
  body.on('error', (error) => counting.destroy(error))
  body.on('aborted', () => counting.destroy(new Error('the client went away')))
  return body.pipe(counting)
}
