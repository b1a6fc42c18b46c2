// A packet's way through our rules, as the kernel would take it: enough of nftables to run what the compiler writes, for
// tests that ask where traffic ends and not what rules look like.
import { parseIp, parseIpRange, isInRange } from '@shiplog/api/ip-address'
import { canonicalText, type Family, type Json, type Rule, type Statement } from '../statements.ts'
import type { Chain, Ruleset } from '../ruleset.ts'

export interface Packet {
  readonly family: Family
  readonly source: string
  readonly destination: string
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly port: number
  /** Sent by the node itself. */
  readonly isOwn?: boolean
  /** Where it comes in and goes out, for rules that ask. */
  readonly comesFrom?: string
  readonly goesTo?: string
}

export interface Fate {
  readonly verdict: 'accept' | 'drop' | 'reject'
  /** `address port` after the change of the destination. */
  readonly to: string
  readonly isMasqueraded: boolean
}

type Outcome = 'accept' | 'drop' | 'reject' | 'return' | undefined

interface Walk {
  readonly ruleset: Ruleset
  readonly table: string
  packet: Packet
  mark: number
  /** What sets that packets fill remember: `set address`. */
  readonly memory: Set<string>
  /** The choice of the random numbers. */
  readonly pick: (below: number) => number
  dnat: boolean
}

/** The hooks that a packet passes: through the node, or from it. */
export function sendPacket(
  ruleset: Ruleset,
  table: string,
  packet: Packet,
  options: { readonly pick?: (below: number) => number; readonly memory?: Set<string>; readonly nodeAddresses?: readonly string[] } = {},
): Fate {
  const walk: Walk = { ruleset, table, packet, mark: 0, memory: options.memory ?? new Set(), pick: options.pick ?? (() => 0), dnat: false }
  const base = [...ruleset.chains.values()]
    .filter((chain) => chain.hook !== undefined && chain.family === packet.family && chain.table === table)
    .sort((one, other) => one.hook!.prio - other.hook!.prio)
  const isForNode = (): boolean => options.nodeAddresses?.includes(walk.packet.destination) === true
  const hooks = packet.isOwn ? ['output', 'postrouting'] : ['prerouting', 'input', 'forward', 'postrouting']
  for (const hook of hooks) {
    if ((hook === 'input' && !isForNode()) || (hook === 'forward' && isForNode())) continue
    for (const chain of base.filter((one) => one.hook!.hook === hook)) {
      const outcome = runChain(walk, chain, 0)
      if (outcome === 'drop' || outcome === 'reject') return fateOf(walk, outcome)
    }
  }
  return fateOf(walk, 'accept')
}

const masquerades = new WeakSet<Walk>()

const fateOf = (walk: Walk, verdict: Fate['verdict']): Fate => ({
  verdict,
  to: `${walk.packet.destination} ${walk.packet.port}`,
  isMasqueraded: masquerades.has(walk),
})

function runChain(walk: Walk, chain: Chain, depth: number): Outcome {
  if (depth > 16) throw new Error('chains jump in a circle')
  for (const rule of chain.rules) {
    const outcome = runRule(walk, rule, depth)
    if (outcome === 'return') return undefined
    if (outcome !== undefined) return outcome
  }
  return undefined
}

/** What a `goto` leads to does not come back: whatever it says, the chain is over. */
const over = (outcome: Outcome): Outcome => outcome ?? 'return'

function chainOf({ ruleset, table, packet }: Walk, name: string): Chain {
  const chain = ruleset.chains.get(`${packet.family} ${table} ${name}`)
  if (chain === undefined) throw new Error(`no chain ${name}`)
  return chain
}

function runRule(walk: Walk, rule: Rule, depth: number): Outcome {
  for (const statement of rule) {
    const [[verb, value]] = Object.entries(statement) as unknown as [[string, any]]
    switch (verb) {
      case 'match':
        if (!matches(walk, value)) return undefined
        break
      case 'jump':
      case 'goto':
      case 'accept':
      case 'drop':
      case 'return':
      case 'reject':
        return verdict(walk, statement, depth)
      case 'vmap': {
        const found = lookUp(walk, value)
        if (found === undefined) return undefined
        return verdict(walk, found, depth)
      }
      case 'mangle':
        walk.mark = numberOf(walk, value.value)
        break
      case 'set':
        walk.memory.add(`${value.set} ${walk.packet.source}`)
        break
      case 'dnat':
        walk.packet = { ...walk.packet, destination: value.addr, port: value.port }
        walk.dnat = true
        return 'accept'
      case 'masquerade':
        masquerades.add(walk)
        return 'accept'
      default:
        throw new Error(`no statement ${verb}`)
    }
  }
  return undefined
}

function verdict(walk: Walk, statement: Statement, depth: number): Outcome {
  const [[verb, value]] = Object.entries(statement) as unknown as [[string, any]]
  if (verb === 'jump') return runChain(walk, chainOf(walk, value.target), depth + 1)
  if (verb === 'goto') return over(runChain(walk, chainOf(walk, value.target), depth + 1))
  return verb as Outcome
}

function fieldOf(walk: Walk, expression: any): Json {
  const { packet, mark } = walk
  if (expression?.concat) return { concat: expression.concat.map((part: any) => fieldOf(walk, part)) }
  if (expression?.payload?.field === 'saddr') return packet.source
  if (expression?.payload?.field === 'daddr') return packet.destination
  if (expression?.payload?.field === 'dport') {
    const { protocol } = expression.payload
    return protocol === 'th' || protocol === packet.protocol ? packet.port : -1
  }
  if (expression?.meta?.key === 'l4proto') return packet.protocol
  if (expression?.meta?.key === 'mark') return mark
  if (expression?.meta?.key === 'iifname') return packet.comesFrom ?? ''
  if (expression?.meta?.key === 'oifname') return packet.goesTo ?? ''
  if (expression?.payload?.protocol === 'icmpv6') return 'none'
  if (expression?.ct?.key === 'state') return 'new'
  if (expression?.fib) return packet.isOwn ? 'local' : 'unicast'
  return expression
}

function numberOf(walk: Walk, expression: any): number {
  if (expression?.['|']) return numberOf(walk, expression['|'][0]) | numberOf(walk, expression['|'][1])
  if (expression?.['^']) return numberOf(walk, expression['^'][0]) ^ numberOf(walk, expression['^'][1])
  if (expression?.['&']) return numberOf(walk, expression['&'][0]) & numberOf(walk, expression['&'][1])
  return Number(fieldOf(walk, expression))
}

function matches(walk: Walk, { op, left, right }: any): boolean {
  if (left?.['&']) return numberOf(walk, left) === right
  const value = fieldOf(walk, left)
  const isSame = isAmong(walk, value, right)
  return op === '!=' ? !isSame : isSame
}

function isAmong(walk: Walk, value: Json, right: any): boolean {
  const { ruleset, table, packet, memory } = walk
  if (right?.set) return right.set.some((item: any) => isAmong(walk, value, item))
  if (typeof right === 'string' && right.startsWith('@')) {
    if (memory.has(`${right} ${packet.source}`)) return true
    return ruleset.elements.has(`${packet.family} ${table} ${right.slice(1)} ${canonicalText(value)}`)
  }
  if (Array.isArray(right)) return right.includes(value)
  if (right?.range) return numberOfEnd(value) >= numberOfEnd(right.range[0]) && numberOfEnd(value) <= numberOfEnd(right.range[1])
  if (right?.prefix) return isInRange(parseIpRange(`${right.prefix.addr}/${right.prefix.len}`)!, parseIp(String(value))!)
  return value === right
}

/** A port, or an address as a number. */
const numberOfEnd = (value: Json): bigint => (typeof value === 'number' ? BigInt(value) : parseIp(String(value))!.value)

function lookUp(walk: Walk, { key, data }: any): Statement | undefined {
  const { ruleset, table, packet, pick } = walk
  if (key.numgen) return (data.set as [number, Statement][])[pick(key.numgen.mod)]![1]
  const parts = (key.concat ?? [key]).map((part: any) => fieldOf(walk, part)) as Json[]
  const wanted: Json = parts.length === 1 ? parts[0]! : { concat: parts }
  return ruleset.elements.get(`${packet.family} ${table} ${data.slice(1)} ${canonicalText(wanted)}`)?.verdict
}
