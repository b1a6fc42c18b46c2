// What comes over the bus is anybody's: its readers say what is wrong with it and never throw.
import { seededRandom } from '@shiplog/testing/seeded-random'
import { describe, expect, test } from 'vitest'
import { decodeCommand, decodeOutcome, encodeCommand, encodeOutcome } from './command.ts'
import { entryText, goneText, messageText, readFeedMessage, readFeedRequest } from './feed.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('a command', () => {
  test('arrives as it was sent, its body as bytes, and without what its sender alone can answer', () => {
    const line = {
      verb: 'patch',
      group: 'apps',
      resource: 'deployments',
      namespace: 'default',
      name: 'web',
      patchType: 'application/merge-patch+json',
      query: { fieldManager: 'x' },
      once: { matter: 'm', round: 'r' },
      cause: 7,
    } as const
    const body = { metadata: { annotations: { text: 'a\nb' } } }
    const command = decodeCommand(encodeCommand({ ...line, body, isWanted: () => true }))
    if (typeof command === 'string') throw new Error(command)
    expect(command.line).toEqual(line)
    expect(JSON.parse(Buffer.from(command.body!).toString())).toEqual(body)
    const bare = decodeCommand(encodeCommand({ verb: 'get', group: '', resource: 'nodes', name: 'n' }))
    expect(bare).toMatchObject({ body: undefined })
  })

  test('has an answer whose body is passed on as it is', () => {
    const object = { kind: 'Node', apiVersion: 'v1', metadata: { name: 'n', resourceVersion: '5' } }
    const answer = decodeOutcome(encodeOutcome({ code: 200, sequence: 5, body: bytes(JSON.stringify(object)) }))
    expect(answer).toEqual({ ok: true, code: 200, sequence: 5, object })
    const status = { kind: 'Status', code: 404 }
    const refusal = decodeOutcome(encodeOutcome({ code: 404, sequence: 0, body: bytes(JSON.stringify(status)) }))
    expect(refusal).toEqual({ ok: false, code: 404, status })
  })
})

test('a message of a feed arrives as it was put together', () => {
  const object = { kind: 'Pod', metadata: { name: 'a"b', uid: 'u', resourceVersion: '5' } }
  const text = messageText(9, true, [entryText('pods/default/a', 3, JSON.stringify(object)), goneText('secrets/x/y')])
  expect(readFeedMessage(text)).toEqual({
    sequence: 9,
    last: true,
    entries: [
      { key: 'pods/default/a', timeMs: 3, object },
      { key: 'secrets/x/y', gone: true },
    ],
  })
})

test('whatever is broken in a message, it is read as wrong or as another one, and nothing is thrown', () => {
  const random = seededRandom(5)
  const good = [
    encodeCommand({ verb: 'update', group: '', resource: 'nodes', name: 'n', query: { a: 'b' }, body: { x: [1] } }),
    encodeOutcome({ code: 200, sequence: 5, body: bytes('{"metadata":{}}') }),
    bytes(messageText(9, true, [entryText('pods/d/a', 3, '{"metadata":{"uid":"u","resourceVersion":"5"}}')])),
    bytes('{"resources":["pods"],"from":3,"known":{"pods/d/a":4}}'),
  ]
  let wrong = 0
  for (let i = 0; i < 5_000; i++) {
    const broken = Buffer.from(random.pick(good))
    for (let n = random.below(4); n >= 0; n--) broken[random.below(broken.length)] = random.below(256)
    const cut = broken.subarray(0, random.chance(0.3) ? random.below(broken.length) : broken.length)
    if (typeof decodeCommand(cut) === 'string') wrong++
    decodeOutcome(cut)
    readFeedMessage(cut.toString())
    try {
      readFeedRequest(JSON.parse(cut.toString()) as Record<string, unknown>)
    } catch (error) {
      expect(error).toBeInstanceOf(SyntaxError)
    }
  }
  expect(wrong).toBeGreaterThan(3_000)
})
