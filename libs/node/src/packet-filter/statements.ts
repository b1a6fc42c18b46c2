// The statements of nftables that our rules are made of, in the form in which `nft -j` lists them: what was written and what
// is read back can be compared. Pure.
import { canonicalIp, formatIp, type IpRange } from '@shiplog/api/ip-address'

export type Family = 'ip' | 'ip6'
export type Protocol = 'tcp' | 'udp' | 'sctp'
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
export type Statement = { readonly [name: string]: Json }
export type Rule = readonly Statement[]

export const familyOf = (address: string): Family => (address.includes(':') ? 'ip6' : 'ip')
export const bitsOf = { ip: 32, ip6: 128 } as const
export const addressType = { ip: 'ipv4_addr', ip6: 'ipv6_addr' } as const

export const jump = (target: string): Statement => ({ jump: { target } })
export const goto = (target: string): Statement => ({ goto: { target } })
export const accept: Statement = { accept: null }
export const drop: Statement = { drop: null }
export const back: Statement = { return: null }

export const saddr = (family: Family): Json => ({ payload: { protocol: family, field: 'saddr' } })
export const daddr = (family: Family): Json => ({ payload: { protocol: family, field: 'daddr' } })
export const l4proto: Json = { meta: { key: 'l4proto' } }
export const dport: Json = { payload: { protocol: 'th', field: 'dport' } }
const mark: Json = { meta: { key: 'mark' } }

type Operator = '==' | '!=' | 'in'
const match = (left: Json, right: Json, op: Operator = '=='): Statement => ({ match: { op, left, right } })

export const isEqual = (left: Json, right: Json): Statement => match(left, right)
export const differs = (left: Json, right: Json): Statement => match(left, right, '!=')
export const isNew: Statement = match({ ct: { key: 'state' } }, 'new', 'in')
export const isAnswer: Statement = match({ ct: { key: 'state' } }, ['established', 'related'], 'in')
export const isLocalSource: Statement = match({ fib: { result: 'type', flags: ['saddr'] } }, 'local')

/** `@name`: among the elements of a set. */
export const inSet = (left: Json, set: string): Statement => match(left, `@${set}`)

export const notInSet = (left: Json, set: string): Statement => match(left, `@${set}`, '!=')

/** One of several, written down in the rule itself. */
export const isAmong = (left: Json, items: readonly Json[]): Statement =>
  match(left, items.length === 1 ? items[0]! : { set: items })
export const isPortAmong = (protocol: Protocol, ports: readonly Json[]): Statement =>
  isAmong({ payload: { protocol, field: 'dport' } }, ports)

/** By name; a `*` at the end stands for anything. */
export const comesFrom = (device: string): Statement => match({ meta: { key: 'iifname' } }, device)
export const goesTo = (device: string): Statement => match({ meta: { key: 'oifname' } }, device)

/** What IPv6 needs so that neighbors find one another at all. */
export const isNeighborTalk: Statement = match({ payload: { protocol: 'icmpv6', field: 'type' } }, {
  set: ['nd-router-solicit', 'nd-router-advert', 'nd-neighbor-solicit', 'nd-neighbor-advert'],
})

/** A range as nft writes it: a single address without its length. */
export const rangeText = ({ family, network, bits }: IpRange): Json => {
  const address = formatIp({ family, value: network })
  return bits === (family === 'IPv4' ? 32 : 128) ? address : { prefix: { addr: address, len: bits } }
}

/** Nothing to match where the range is everything. */
export const inRange = (left: Json, range: IpRange): Statement[] => (range.bits === 0 ? [] : [match(left, rangeText(range))])
export const notInRange = (left: Json, range: IpRange): Statement => match(left, rangeText(range), '!=')

export const isProtocol = (protocol: Protocol): Statement => match(l4proto, protocol)
export const isPort = (protocol: Protocol, port: number): Statement =>
  match({ payload: { protocol, field: 'dport' } }, port)
export const isPortIn = (protocol: Protocol, first: number, last: number): Statement =>
  first === last ? isPort(protocol, first) : match({ payload: { protocol, field: 'dport' } }, { range: [first, last] })

/** Where a map of `address . protocol . port` leads. */
export const verdictOf = (key: readonly Json[], map: string): Statement => ({
  vmap: { key: key.length === 1 ? key[0]! : { concat: key }, data: `@${map}` },
})

export const setMark = (bit: number): Statement => ({ mangle: { key: mark, value: { '|': [mark, bit] } } })
export const flipMark = (bit: number): Statement => ({ mangle: { key: mark, value: { '^': [mark, bit] } } })
export const hasNoMark = (bit: number): Statement => match({ '&': [mark, bit] }, 0)

export const masquerade: Statement = { masquerade: { flags: ['fully-random'] } }
export const reject = (family: Family): Statement => ({
  reject: { type: family === 'ip' ? 'icmp' : 'icmpv6', expr: 'port-unreachable' },
})
export const dnat = (address: string, port: number): Statement => ({ dnat: { addr: address, port } })

/** One of the chains, each as likely. */
export const oneOf = (chains: readonly string[]): Statement => ({
  vmap: {
    key: { numgen: { mode: 'random', mod: chains.length, offset: 0 } },
    data: { set: chains.map((chain, index) => [index, goto(chain)]) },
  },
})

/** Remembers who came, anew each time. */
export const remember = (family: Family, set: string): Statement => ({ set: { op: 'update', elem: saddr(family), set: `@${set}` } })

/** One text for one meaning: keys sorted, anonymous sets sorted, addresses in their one spelling. */
export function canonicalText(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value.includes(':') ? canonicalIp(value) : value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonicalText).join()}]`
  const entries = Object.entries(value as Record<string, Json>).sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${entries
    .map(([key, inner]) => {
      const text = key === 'set' && Array.isArray(inner) ? `[${inner.map(canonicalText).sort().join()}]` : canonicalText(inner)
      return `${JSON.stringify(key)}:${text}`
    })
    .join()}}`
}
