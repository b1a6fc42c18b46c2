import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NetworkPolicySpec } from '@shiplog/api/generated/types/networking-v1'
import { changesBetween } from '@shiplog/node/packet-filter/ruleset'
import { isAllowed, type Call } from './testing/oracle.ts'
import { randomTurns } from './testing/random-worlds.ts'
import { agentAddress, aNamespace, aPod, aPolicy, nodeNames, type Played, playedWorld } from './testing/world.ts'

/** x/a and x/c are on node one, x/b and y/d on node two. */
function fourPods(): Played {
  const world = playedWorld()
  world.put(aNamespace('x', { team: 'x' }), aNamespace('y', { team: 'y' }))
  world.put(aPod('x', 'a', 0), aPod('x', 'b', 1), aPod('x', 'c', 2), aPod('y', 'd', 3))
  return world
}
const [a, b, c, d] = ['10.244.0.2', '10.244.1.3', '10.244.0.4', '10.244.1.5'] as const
const tcp = (from: string, to: string, port = 80): Call => ({ from, to, protocol: 'TCP', port })
const put = (world: Played, spec: NetworkPolicySpec, name = 'p'): void => world.put(aPolicy('x', name, spec))

describe('a pod that no policy selects', () => {
  test('talks to everybody, on its node and on others', () => {
    const world = fourPods()
    for (const [from, to] of [[a, b], [a, c], [d, a], ['192.0.2.1', a], [a, '192.0.2.1']] as const) expect(world.lets(tcp(from, to))).toBe(true)
  })

  test('that nobody has made rules for yet reaches nobody and is not reached', () => {
    const world = fourPods()
    const e = '10.244.0.6'
    world.put(aPod('x', 'e', 4))
    expect([world.lets(tcp(e, b)), world.lets(tcp(b, e))]).toEqual([true, true])
    // It is over, and whoever gets its address next is not known yet.
    world.put(aPod('x', 'e', 4, { phase: 'Failed' }))
    expect([world.lets(tcp(e, b)), world.lets(tcp(b, e)), world.lets(tcp(e, a))]).toEqual([false, false, false])
  })
})

describe('a policy', () => {
  test('without rules closes its direction, and leaves the other one open', () => {
    const world = fourPods()
    put(world, { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Ingress'] })
    expect([world.lets(tcp(c, a)), world.lets(tcp(b, a)), world.lets(tcp(a, c)), world.lets(tcp(c, b))]).toEqual([false, false, true, true])
    put(world, { podSelector: {}, policyTypes: ['Egress'] })
    expect([world.lets(tcp(a, c)), world.lets(tcp(b, '192.0.2.1')), world.lets(tcp(d, c))]).toEqual([false, false, true])
  })

  test('never comes between a pod and itself, nor between it and the agent of its node', () => {
    const world = fourPods()
    put(world, { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
    expect([world.lets(tcp(a, a)), world.lets(tcp(agentAddress, a)), world.lets(tcp('172.30.0.2', a))]).toEqual([true, true, false])
  })

  test('lets through who is named by labels of pods, of namespaces, or of both', () => {
    const from = (world: Played, peer: object): readonly boolean[] => {
      put(world, { podSelector: { matchLabels: { app: 'a' } }, ingress: [{ from: [peer] }] })
      return [b, c, d, '192.0.2.1'].map((address) => world.lets(tcp(address, a)))
    }
    const world = fourPods()
    expect(from(world, { podSelector: { matchLabels: { app: 'b' } } })).toEqual([true, false, false, false])
    expect(from(world, { podSelector: {} })).toEqual([true, true, false, false])
    expect(from(world, { namespaceSelector: { matchLabels: { team: 'y' } } })).toEqual([false, false, true, false])
    expect(from(world, { namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['c', 'd'] }] } })).toEqual(
      [false, true, true, false],
    )
    expect(from(world, { ipBlock: { cidr: '0.0.0.0/0', except: ['10.244.1.0/24'] } })).toEqual([false, true, false, true])
  })

  test('follows labels that change, of a pod and of its namespace', () => {
    const world = fourPods()
    put(world, { podSelector: { matchLabels: { app: 'a' } }, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'z' } } }] }] })
    expect(world.lets(tcp(d, a))).toBe(false)
    world.put(aNamespace('y', { team: 'z' }))
    expect([world.lets(tcp(d, a)), world.lets(tcp(c, a))]).toEqual([true, false])
    world.put(aPod('x', 'a', 0, { labels: { app: 'free' } }))
    expect(world.lets(tcp(c, a))).toBe(true)
  })

  test('means ports by number, by range, by protocol, and by the name that each pod gives its own', () => {
    const world = fourPods()
    const ports = (...some: readonly object[]): void =>
      put(world, { podSelector: {}, ingress: [{ ports: some as never }] })
    const open = (to: string, protocol: Call['protocol'], port: number): boolean => world.lets({ from: d, to, protocol, port })
    ports({ protocol: 'TCP', port: 8000, endPort: 8010 }, { protocol: 'SCTP' }, { protocol: 'UDP', port: 53 })
    expect([7999, 8000, 8010, 8011].map((port) => open(a, 'TCP', port))).toEqual([false, true, true, false])
    expect([open(a, 'UDP', 53), open(a, 'TCP', 53), open(a, 'UDP', 54), open(a, 'SCTP', 9)]).toEqual([true, false, false, true])
    ports({ protocol: 'TCP', port: 'web' })
    expect([open(a, 'TCP', 80), open(c, 'TCP', 80), open(c, 'TCP', 82), open(a, 'UDP', 80)]).toEqual([true, false, true, false])
  })

  test('has no say over pods on the network of the node, as subjects and as peers', () => {
    const world = fourPods()
    world.put(aPod('x', 'h', 0, { hostNetwork: true, addresses: ['172.30.0.10'] }))
    put(world, { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'h' } } }] }] })
    expect([world.lets(tcp('172.30.0.10', a)), world.lets(tcp(a, '172.30.0.10'))]).toEqual([false, true])
  })

  test('is where its pods are, and only there', () => {
    const world = fourPods()
    const chains = (node: string): number => world.desired.get(node)!.all.chains.size
    const before = nodeNames.map(chains)
    put(world, { podSelector: { matchLabels: { app: 'a' } }, ingress: [{ from: [{ podSelector: {} }] }] })
    expect(nodeNames.map((node, index) => chains(node) - before[index]!)).toEqual([4, 0])
    world.remove(aPolicy('x', 'p', { podSelector: {} }))
    expect(nodeNames.map(chains)).toEqual(before)
  })

  test('changes elements alone when a pod comes that it names', () => {
    const world = fourPods()
    put(world, { podSelector: { matchLabels: { app: 'a' } }, ingress: [{ from: [{ podSelector: { matchLabels: { tier: 'web' } } }] }] })
    const before = { ...world.desired.get('one')!.all, elements: new Map(world.desired.get('one')!.all.elements), chains: new Map(world.desired.get('one')!.all.chains) }
    world.put(aPod('x', 'e', 5, { labels: { tier: 'web' } }))
    const commands = changesBetween(before, world.desired.get('one')!.all)
    expect(commands.map((command) => Object.keys(command as object)[0])).toEqual(['add', 'add'])
    expect(JSON.stringify(commands)).not.toContain('"rule"')
  })
})

test('whatever happens, the nodes let through what the text of the API allows, and keep the rules that they would make anew', () => {
  let calls = 0
  fc.assert(
    fc.property(randomTurns, (turns) => {
      const world = playedWorld()
      for (const turn of turns) {
        for (const act of turn.acts) act(world)
        for (const call of turn.calls(world)) {
          calls++
          if (world.lets(call) !== isAllowed(world, call) || world.isTold(call) !== isAllowed(world, call)) {
            throw new Error(`${JSON.stringify(call)}: allowed ${isAllowed(world, call)}\n${JSON.stringify(world.policies.map(({ spec }) => spec))}`)
          }
        }
      }
      const anew = playedWorld()
      anew.put(...world.policies, ...world.pods, ...world.namespaces)
      for (const node of nodeNames)
        if (changesBetween(world.desired.get(node)!.all, anew.desired.get(node)!.all).length > 0) throw new Error('rules differ from new ones')
    }),
    { numRuns: 100 },
  )
  expect(calls).toBeGreaterThan(5_000)
})
