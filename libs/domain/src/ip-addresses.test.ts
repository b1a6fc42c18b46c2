import { expect, test } from 'vitest'
import { cidrText, cidrWarnings, ipText, ipWarnings, isStrictlyInside, parseCidr, parseIp, validateIp, validateLegacyCidr, validateLegacyIp } from './ip-addresses.ts'

const sentences = (causes: readonly { message: string }[]): string[] => causes.map(({ message }) => message)

test('an address is written in one form, however it came', () => {
  const forms = { '010.1.0.9': '10.1.0.9', 'FD00:0:0:0:0:0:0:1': 'fd00::1', '::ffff:1.2.3.4': '1.2.3.4', '::': '::', '1:0:0:2:0:0:0:3': '1:0:0:2::3', '1:0:2:3:4:5:6:7': '1:0:2:3:4:5:6:7' }
  for (const [given, form] of Object.entries(forms)) expect(ipText(parseIp(given)!)).toBe(form)
  for (const wrong of ['1.2.3', '256.1.1.1', ':1', '1::2::3', 'fd00::g', '1:2:3:4:5:6:7', '', '1:2:3:4:5:6:7::8'])
    expect(parseIp(wrong), wrong).toBeUndefined()
})

test('a range is known by its first address, and one may lie in another', () => {
  expect(cidrText(parseCidr('10.1.2.3/8')!)).toBe('10.0.0.0/8')
  expect(cidrText(parseCidr('fd00:1::5/16')!)).toBe('fd00::/16')
  const inside = (inner: string, outer: string): boolean => isStrictlyInside(parseCidr(inner)!, parseCidr(outer)!)
  expect(inside('10.1.0.0/16', '10.0.0.0/8')).toBe(true)
  expect(inside('11.0.0.0/16', '10.0.0.0/8')).toBe(false)
  expect(inside('10.0.0.0/8', '10.0.0.0/8')).toBe(false)
  expect(inside('fd00::/64', '10.0.0.0/8')).toBe(false)
  expect(parseCidr('10.0.0.0/33')).toBeUndefined()
})

test('what programs read in different ways is refused, what is only unusual gets a warning', () => {
  expect(sentences(validateLegacyIp('010.0.0.1', 'ip'))).toEqual(['Invalid value: "010.0.0.1": must not have leading 0s'])
  expect(validateLegacyIp('010.0.0.1', 'ip', ['010.0.0.1'])).toEqual([])
  expect(validateLegacyIp('FD00::1', 'ip')).toEqual([])
  expect(sentences(validateIp('FD00::1', 'ip'))).toEqual(['Invalid value: "FD00::1": must be in canonical form ("fd00::1")'])
  expect(sentences(validateLegacyCidr('10.0.0.1/8', 'c'))).toEqual([
    'Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
  ])
  expect(ipWarnings('FD00::1', 'ip')).toEqual(['ip: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")'])
  expect(cidrWarnings('10.0.0.1/8', 'c')).toEqual([
    'c: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
  ])
})
