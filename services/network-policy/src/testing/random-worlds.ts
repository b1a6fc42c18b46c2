// What may happen to a small cluster, drawn at random: pods, labels and policies of all shapes come, change and go.
import fc from 'fast-check'
import type { NetworkPolicyPeer, NetworkPolicySpec } from '@shiplog/api/generated/types/networking-v1'
import type { Call } from './oracle.ts'
import { aNamespace, aPod, aPolicy, type Played } from './world.ts'

export interface Turn {
  readonly acts: readonly ((world: Played) => void)[]
  calls(world: Played): readonly Call[]
}

const namespaces = ['x', 'y']
const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('a', 'b'), { maxKeys: 2, noNullPrototype: true })
const expression = fc.oneof(
  fc.record({ key: fc.constantFrom('app', 'tier'), operator: fc.constantFrom('In', 'NotIn'), values: fc.constantFrom(['a'], ['b'], ['a', 'b']) }),
  fc.record({ key: fc.constantFrom('app', 'tier'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
)
const selector = fc.oneof(
  fc.record({ matchLabels: labels }),
  fc.record({ matchLabels: labels, matchExpressions: fc.array(expression, { maxLength: 2 }) }),
)

const block = fc.oneof(
  fc.record({
    cidr: fc.constantFrom('10.244.0.0/16', '0.0.0.0/0', '10.244.1.0/24', '10.244.0.4/32', '192.0.2.0/25'),
    except: fc.subarray(['10.244.0.0/23', '10.244.1.5/32', '192.0.2.0/31', '10.244.0.2/31']),
  }),
  fc.record({ cidr: fc.constantFrom('fd00:244::/64', '::/0', 'fd00:244::4/126'), except: fc.subarray(['fd00:244::6/127', 'fd00:244::2/128']) }),
)
const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
  fc.record({ ipBlock: block }),
) as fc.Arbitrary<NetworkPolicyPeer>

const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP')
const port = fc.oneof(
  fc.record({ protocol }),
  fc.record({ protocol, port: fc.constantFrom(53, 80, 81, 8080, 'web', 'dns', 'alt') }),
  fc.record({ protocol, port: fc.constantFrom(53, 80), endPort: fc.constantFrom(80, 82, 65_535) }),
)
const rule = <Name extends string>(name: Name) =>
  fc.record({ [name]: fc.array(peer, { maxLength: 3 }), ports: fc.array(port, { maxLength: 3 }) }, { requiredKeys: [] })

const spec = fc.record(
  {
    podSelector: selector,
    ingress: fc.array(rule('from'), { maxLength: 3 }),
    egress: fc.array(rule('to'), { maxLength: 3 }),
    policyTypes: fc.subarray(['Ingress', 'Egress']),
  },
  { requiredKeys: ['podSelector'] },
) as unknown as fc.Arbitrary<NetworkPolicySpec>

const namespace = fc.constantFrom(...namespaces)
const look = fc.record({ labels })

const act = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(namespace, fc.integer({ min: 0, max: 5 }), look).map(([at, index, shown]) => (world: Played) => world.put(aPod(at, `pod-${index}`, index + 6 * namespaces.indexOf(at), shown))) },
  { weight: 1, arbitrary: fc.tuple(namespace, fc.integer({ min: 0, max: 5 })).map(([at, index]) => (world: Played) => world.remove(aPod(at, `pod-${index}`, index + 6 * namespaces.indexOf(at)))) },
  { weight: 1, arbitrary: fc.tuple(namespace, labels).map(([at, shown]) => (world: Played) => world.put(aNamespace(at, shown))) },
  { weight: 4, arbitrary: fc.tuple(namespace, fc.constantFrom('p', 'q', 'r'), spec).map(([at, name, of]) => (world: Played) => world.put(aPolicy(at, name, of))) },
  { weight: 1, arbitrary: fc.tuple(namespace, fc.constantFrom('p', 'q', 'r')).map(([at, name]) => (world: Played) => world.remove(aPolicy(at, name, { podSelector: {} }))) },
)

const place = fc.nat({ max: 1_000 })
const draws = fc.array(fc.tuple(place, place, protocol, fc.constantFrom(53, 54, 80, 81, 82, 8080, 40_000), fc.boolean()), { minLength: 30, maxLength: 30 })

/** From a pod, or from outside, to a pod or outside; at least one of both is a pod. */
function callsOf(drawn: readonly (readonly [number, number, string, number, boolean])[], world: Played): Call[] {
  return drawn.flatMap(([from, to, protocol, port, isIpv6]): Call[] => {
    const pods = world.pods.map(({ status }) => status!.podIPs![isIpv6 ? 1 : 0]!.ip)
    const outside = isIpv6 ? ['2001:db8::1'] : ['192.0.2.1', '192.0.2.200']
    const all = [...pods, ...pods, ...outside]
    if (pods.length === 0) return []
    return [{ from: pods[from % pods.length]!, to: all[to % all.length]!, protocol: protocol as Call['protocol'], port }].flatMap((call) =>
      pods.includes(call.to) ? [call] : [call, { ...call, from: call.to, to: call.from }],
    )
  })
}

export const randomTurns: fc.Arbitrary<Turn[]> = fc.array(
  fc.tuple(fc.array(act, { minLength: 1, maxLength: 6 }), draws).map(
    ([acts, drawn]): Turn => ({ acts, calls: (world) => callsOf(drawn, world) }),
  ),
  { minLength: 1, maxLength: 8 },
)
