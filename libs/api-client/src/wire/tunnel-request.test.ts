import { describe, expect, test } from 'vitest'
import { notFound } from '@shiplog/api/status'
import {
  encodeTunnelRequest,
  parseTunnelRequest,
  tunnelOpenSubject,
  tunnelRefusal,
  type TunnelRequest,
} from './tunnel-request.ts'

const request: TunnelRequest = {
  kind: 'logs',
  ...{ namespace: 'default', pod: 'web', uid: 'u-1', container: 'main' },
  options: { follow: true, previous: false, timestamps: false, stream: 'All', tailLines: 0, sinceTimeMs: -5 },
}

const sent = (change: (value: any) => void = () => undefined): Record<string, unknown> => {
  const value = JSON.parse(JSON.stringify(encodeTunnelRequest(request)))
  change(value)
  return value
}

describe('a request for a tunnel', () => {
  test('is read as it was sent; what it has besides is left out', () => {
    expect(parseTunnelRequest(sent())).toEqual(request)
    expect(parseTunnelRequest(sent((value) => (value.options.path = '/etc')))).toEqual(request)
  })

  test.each<[string, (value: any) => void]>([
    ['another kind', (value) => (value.kind = 'exec')],
    ['no pod', (value) => delete value.pod],
    ['a container that is no text', (value) => (value.container = { toString: () => '..' })],
    ['no options', (value) => (value.options = null)],
    ['options as a list', (value) => (value.options = [])],
    ['a flag that is none', (value) => (value.options.follow = 'yes')],
    ['a stream that is none', (value) => (value.options.stream = 'stdin')],
    ['a number that is none', (value) => (value.options.tailLines = '5')],
    ['a negative number', (value) => (value.options.limitBytes = -1)],
    ['a number beyond all bounds', (value) => (value.options.tailLines = 1e300)],
  ])('with %s is none', (_what, change) => {
    expect(parseTunnelRequest(sent(change))).toBeUndefined()
  })

  test('goes to a subject of the node, whatever it is called', () => {
    expect(tunnelOpenSubject('node-0')).toBe('tun.node-0.open')
    expect(tunnelOpenSubject('a.b.example')).toBe('tun.a%2Eb%2Eexample.open')
  })
})

describe('a refusal', () => {
  test('that is a Status is the answer, without what a client could be misled by', () => {
    const status = notFound({ group: '', resource: 'pods' }, 'web')
    const { details: _, ...bare } = status
    expect(tunnelRefusal(status, 'node-0')).toEqual(bare)
  })

  test.each([
    ['a sentence', 'the other side is stopping', /node "node-0" refused: the other side is stopping/],
    ['a success', { code: 200, reason: 'OK', message: 'x' }, /no reason that can be read/],
    ['a Status in part', { code: 404 }, /no reason that can be read/],
    ['nothing', undefined, /no reason that can be read/],
  ])('that is %s is an internal error', (_what, refusal, message) => {
    expect(tunnelRefusal(refusal, 'node-0')).toMatchObject({ code: 500, message: expect.stringMatching(message) })
  })
})
