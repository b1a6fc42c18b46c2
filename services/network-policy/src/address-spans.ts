// Ranges of addresses with parts left out, as a few spans that do not touch: what the kernel takes as one set. Pure.
import { formatIp, type IpFamily, parseIpRange } from '@shiplog/api/ip-address'
import type { IPBlock } from '@shiplog/api/generated/types/networking-v1'
import type { Json } from '@shiplog/node/packet-filter/statements'

export interface Span {
  readonly first: bigint
  /** Inside, too. */
  readonly last: bigint
}

const bitsOf = { IPv4: 32n, IPv6: 128n } as const

/** All addresses of a family that some block holds. What is no range holds nothing. */
export const spansOf = (blocks: readonly IPBlock[], family: IpFamily): Span[] =>
  joined(blocks.flatMap((block) => spansOfBlock(block, family)))

function spansOfBlock({ cidr, except = [] }: IPBlock, family: IpFamily): Span[] {
  let rest = spanOf(cidr, family)
  for (const text of except ?? []) {
    const [hole] = spanOf(text, family)
    if (hole !== undefined) rest = rest.flatMap((span) => without(span, hole))
  }
  return rest
}

function spanOf(text: string, family: IpFamily): Span[] {
  const range = parseIpRange(text.trim())
  return range?.family === family ? [{ first: range.network, last: range.network + range.size - 1n }] : []
}

function without({ first, last }: Span, hole: Span): Span[] {
  const before = { first, last: hole.first - 1n < last ? hole.first - 1n : last }
  const after = { first: hole.last + 1n > first ? hole.last + 1n : first, last }
  return [before, after].filter((span) => span.first <= span.last)
}

function joined(spans: readonly Span[]): Span[] {
  const all: Span[] = []
  for (const span of [...spans].sort((one, other) => (one.first < other.first ? -1 : 1))) {
    const before = all.at(-1)
    if (before === undefined || span.first > before.last + 1n) all.push(span)
    else if (span.last > before.last) all[all.length - 1] = { first: before.first, last: span.last }
  }
  return all
}

/** Whether a span is all there is, so that there is nothing to ask. */
export const isEverything = ({ first, last }: Span, family: IpFamily): boolean =>
  first === 0n && last === (1n << bitsOf[family]) - 1n

/** As nft writes it: an address, a prefix, or two ends. */
export function spanText({ first, last }: Span, family: IpFamily): Json {
  const text = (value: bigint): string => formatIp({ family, value })
  if (first === last) return text(first)
  const size = last - first + 1n
  const isPrefix = (size & (size - 1n)) === 0n && first % size === 0n
  if (!isPrefix) return { range: [text(first), text(last)] }
  return { prefix: { addr: text(first), len: Number(bitsOf[family]) - (size.toString(2).length - 1) } }
}
