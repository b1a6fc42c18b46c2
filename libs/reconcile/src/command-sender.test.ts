import type { ApiClient, ApiRequest } from '@shiplog/api/api-client'
import type { KubeObject } from '@shiplog/api/kube-object'
import { conflict } from '@shiplog/api/status'
import { describe, expect, test } from 'vitest'
import { ActiveKeys } from './active-keys.ts'
import { createCommandGate } from './command-gate.ts'
import { CommandSender } from './command-sender.ts'
import type { Command } from './reconciler.ts'

const pods = { group: '', resource: 'pods', namespace: 'default' }
const create = (name: string): Command => ({ request: { verb: 'create', ...pods, name } })
const basis = { basis: 12, round: 'r/1', cause: 9, key: undefined }

function senderWith(answer: (request: ApiRequest, index: number) => 'ok' | 'conflict' | 'unreachable') {
  const sent: ApiRequest[] = []
  const client: Pick<ApiClient, 'request'> = {
    request: async (request) => {
      const index = sent.push(request) - 1
      const kind = answer(request, index)
      if (kind === 'unreachable') throw new Error('connection reset')
      if (kind === 'ok') return { ok: true, code: 200, object: {} as KubeObject, sequence: index + 1 }
      const status = conflict(pods, request.name ?? '', 'object was modified')
      return { ok: false, code: status.code, status }
    },
  }
  const stopping = new AbortController()
  const keys = new ActiveKeys({ owns: () => false })
  const sender = new CommandSender({
    client: client as ApiClient,
    gate: createCommandGate(10),
    keys,
    stopping: stopping.signal,
    fieldManager: 'tester',
  })
  return { sender, sent, keys, stopping }
}

describe('the command sender', () => {
  test('sends a command with its cause, its basis and its fencing; only writes have a field manager', async () => {
    const { sender, sent } = senderWith(() => 'ok')
    const remove: Command = { request: { verb: 'delete', ...pods, name: 'b' }, onceFor: 'uid-1' }
    await sender.send([create('a'), remove], basis, false)
    expect(sent).toEqual([
      { verb: 'create', ...pods, name: 'a', cause: 9, basis: 12, query: { fieldManager: 'tester' } },
      { verb: 'delete', ...pods, name: 'b', cause: 9, basis: 12, once: { matter: 'uid-1', round: 'r/1' } },
    ])
  })

  test('after a failed round sends one, two, four … and stops at the first that is refused', async () => {
    const { sender, sent } = senderWith((_, index) => (index === 2 ? 'conflict' : 'ok'))
    const { answered, skipped } = await sender.send(['a', 'b', 'c', 'd', 'e'].map(create), basis, true)
    expect(sent.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect(answered.map(([, answer]) => answer.ok)).toEqual([true, true, false])
    expect(skipped).toBe(true)
  })

  test('takes an unreachable server for an answer', async () => {
    const { sender } = senderWith(() => 'unreachable')
    const { answered } = await sender.send([create('a')], basis, false)
    expect(answered[0]![1]).toMatchObject({ ok: false, code: 503, status: { message: 'connection reset' } })
  })

  test('sends nothing for a key that was assigned to another replica, nor when stopping', async () => {
    const { sender, sent, keys, stopping } = senderWith(() => 'ok')
    const key = keys.begin('test/k')!
    await keys.revoke()
    const { answered } = await sender.send([create('a')], { ...basis, key }, false)
    expect(answered[0]![1]).toMatchObject({ ok: false, status: { message: 'key assigned to another replica' } })
    stopping.abort()
    await sender.send([create('a')], basis, false)
    expect(sent).toEqual([])
  })
})
