// PEM, as far as requests and certificates need it: blocks of base64 between lines that say what they hold.

export interface PemBlock {
  readonly type: string
  readonly hasHeaders: boolean
  readonly bytes: Buffer
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g

/** All blocks of a text; what stands around them is no matter. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(block)].map(([, type = '', body = '']) => {
    const headers = /^(?:[^\n:]+:[^\n]*\n)+\r?\n/.exec(body)?.[0] ?? ''
    return { type, hasHeaders: headers !== '', bytes: Buffer.from(body.slice(headers.length), 'base64') }
  })
}
