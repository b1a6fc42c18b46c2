import { expect, test } from 'vitest'
import { freeAddress, isInPool, parseAddressPool } from './address-pool.ts'
import { parseIp } from './ip-address.ts'

const pool = parseAddressPool('172.30.1.254/31, 172.30.2.10-172.30.2.11,172.30.3.1,fd00::ff-fd00::101')

test('a pool is ranges, spans and single addresses of both families', () => {
  const has = (address: string): boolean => isInPool(pool, parseIp(address)!)
  expect(['172.30.1.253', '172.30.1.254', '172.30.1.255', '172.30.2.9', '172.30.2.11', '172.30.3.1', '172.30.3.2'].map(has)).toEqual([
    false, true, true, false, true, true, false,
  ])
  expect(['fd00::fe', 'fd00::100', 'fd00::102'].map(has)).toEqual([false, true, false])
})

test('gives its addresses one by one, until there are none', () => {
  const taken = new Set<string>()
  const next = (family: 'IPv4' | 'IPv6'): string | undefined => {
    const address = freeAddress(pool, family, (one) => taken.has(one))
    if (address) taken.add(address)
    return address
  }
  expect(Array.from({ length: 6 }, () => next('IPv4'))).toEqual(['172.30.1.254', '172.30.1.255', '172.30.2.10', '172.30.2.11', '172.30.3.1', undefined])
  expect([next('IPv6'), next('IPv6')]).toEqual(['fd00::ff', 'fd00::100'])
})

test.each([
  ['', 'is neither a range'],
  ['172.30.1.0/33', 'is neither a range'],
  ['172.30.1.1-', 'is neither a range'],
  ['1.2.3.4-1.2.3.5-1.2.3.6', 'is neither a range'],
  ['172.30.1.2-172.30.1.1', 'ends before it begins'],
  ['172.30.1.2-fd00::1', 'has ends of different IP families'],
])('%s is none', (text, why) => expect(() => parseAddressPool(text)).toThrow(why))
