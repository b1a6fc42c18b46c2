import { describe, expect, test } from 'vitest'
import {
  canonicalIp,
  formatIpRange,
  isInRange,
  parseIp,
  parseIpRange,
  parseIpRanges,
  partOfRange,
} from './ip-address.ts'

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
  ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
  ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
  ['fd00::10.0.0.1', 'fd00::a00:1'],
  ['fe80::', 'fe80::'],
])('the canonical spelling of %s is %s', (given, canonical) => {
  expect(canonicalIp(given)).toBe(canonical)
})

test.each([
  '',
  '10.0.0',
  '10.0.0.256',
  '010.0.0.1',
  '1.2.3.4.5',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '12345::',
])('%j is no address', (text) => expect(parseIp(text)).toBeUndefined())
test.each(['1:2:3:4:5:6:7:8::', 'g::', '::1%eth0', 'fd00::1/64', '1.2.3.4::'])('%j is no address either', (text) =>
  expect(parseIp(text)).toBeUndefined())

describe('a range', () => {
  test('is its network, whatever host was given', () => {
    expect(formatIpRange(parseIpRange('10.244.3.7/16')!)).toBe('10.244.0.0/16')
    expect(formatIpRange(parseIpRange('fd00:10:96::7/112')!)).toBe('fd00:10:96::/112')
  })

  test.each(['10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/08', '10.0.0.0/8/8', 'x/8'])('is not %j', (text) => {
    expect(parseIpRange(text)).toBeUndefined()
  })

  test('holds its addresses and no others', () => {
    const range = parseIpRange('10.96.0.0/12')!
    expect(
      ['10.96.0.0', '10.111.255.255', '10.112.0.0', 'fd00::1'].map((ip) => isInRange(range, parseIp(ip)!)),
    ).toEqual([true, true, false, false])
  })

  test('is cut into parts, from either end', () => {
    const part = (text: string, bits: number, index: number): string | undefined => {
      const found = partOfRange(parseIpRange(text)!, bits, index)
      return found && formatIpRange(found)
    }
    expect(part('10.244.0.0/16', 24, 3)).toBe('10.244.3.0/24')
    expect(part('10.244.0.0/16', 24, -1)).toBe('10.244.255.0/24')
    expect(part('fd00:10:244::/56', 64, 2)).toBe('fd00:10:244:2::/64')
    expect(part('10.244.0.0/16', 24, 256)).toBeUndefined()
    expect(part('10.244.0.0/16', 8, 0)).toBeUndefined()
  })
})

describe('an option', () => {
  test('takes one range or one of each family, in either order', () => {
    expect(parseIpRanges('10.96.0.0/12').map(formatIpRange)).toEqual(['10.96.0.0/12'])
    expect(parseIpRanges('fd00::/112, 10.96.0.0/12').map(formatIpRange)).toEqual(['fd00::/112', '10.96.0.0/12'])
  })

  test.each([
    ['10.96.0.0/12,10.0.0.0/16', 'different IP families'],
    ['10.96.0.0/12,fd00::/64,fd01::/64', 'one range, or one of each family'],
    ['banana', 'no range like'],
    ['', 'no range like'],
  ])('refuses %j', (text, why) => {
    expect(() => parseIpRanges(text)).toThrow(why)
  })
})
