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
    ['another kind', (value) => (value.kind = 'shell')],
    ['the kind of another form', (value) => (value.kind = 'exec')],
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

  const target = { namespace: 'default', pod: 'web', uid: 'u-1' }
  const streams = { tty: false, stdin: true, stdout: true, stderr: false }
  const others: TunnelRequest[] = [
    { kind: 'exec', ...target, container: 'main', ...streams, command: ['sh', '-c', 'exit 3'] },
    { kind: 'attach', ...target, container: 'main', ...streams },
    { kind: 'portForward', ...target, port: 0 },
    { kind: 'connect', ...target, port: 65_535 },
    { kind: 'node', port: 'agent' },
    { kind: 'node', port: 80 },
  ]
  test.each(others)('for $kind is read as it was sent', (other) => {
    expect(parseTunnelRequest(JSON.parse(JSON.stringify(encodeTunnelRequest(other))))).toEqual(other)
  })

  test.each<[string, object]>([
    ['no command', { ...others[0], command: [] }],
    ['a command that is no text', { ...others[0], command: ['sh', 1] }],
    ['a stream that is no flag', { ...others[1], stdin: 'yes' }],
    ['no container', { ...others[1], container: undefined }],
    ['a port beyond all ports', { ...others[3], port: 65_536 }],
    ['a port that is text', { ...others[5], port: '80' }],
    ['no port of a node', { kind: 'node', port: 0 }],
  ])('with %s is none, either', (_what, value) => {
    expect(parseTunnelRequest(value as Record<string, unknown>)).toBeUndefined()
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
