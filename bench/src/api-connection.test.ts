import { describe, expect, test } from 'vitest'
import { createAnswerParser } from './api-connection.ts'

const answers =
  'HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello' +
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n' +
  'HTTP/1.1 204 No Content\r\n\r\n'

function parsed(pieceBytes: number): string[] {
  const said: string[] = []
  let body = ''
  const parse = createAnswerParser({
    head: (code) => said.push(String(code)),
    body: (bytes) => {
      body += bytes.toString()
    },
    end: () => {
      said.push(body)
      body = ''
    },
  })
  const bytes = Buffer.from(answers)
  for (let at = 0; at < bytes.length; at += pieceBytes) parse(bytes.subarray(at, at + pieceBytes))
  return said
}

describe('the answer parser', () => {
  test.each([1, 2, 3, 7, 50, 1_000])('reads three answers out of pieces of %i bytes', (pieceBytes) => {
    expect(parsed(pieceBytes)).toEqual(['201', 'hello', '200', 'abcde', '204', ''])
  })
})
