// Every way in which a service gets, keeps, adds or gives up IP families, on clusters of one range and of two: what
// upstream's allocator does (pkg/registry/core/service/storage).
import { parseIpRanges } from '@shiplog/api/ip-address'
import type { KubeObject } from '@shiplog/api/kube-object'
import { isApiError } from '@shiplog/api/status'
import { describe, expect, test } from 'vitest'
import { heldBy, object, testContext } from '../testing/objects.ts'
import { parseServiceRanges } from './ip-range.ts'
import { serviceStrategy } from './service.strategy.ts'

const four = parseIpRanges('10.96.0.0/16')
const six = parseIpRanges('fd00:10:96::/112')
const fourSix = parseIpRanges('10.96.0.0/16,fd00:10:96::/112')
const sixFour = parseIpRanges('fd00:10:96::/112,10.96.0.0/16')
type Ranges = typeof four | typeof fourSix

const contextOf = (serviceRanges: Ranges) => ({ ...testContext(), serviceRanges })
/** The families, addresses and policy of what came of it, or why it was refused. */
const shown = (run: () => KubeObject): string => {
  try {
    const { spec } = run() as any
    return [spec.ipFamilyPolicy, spec.ipFamilies?.join('+'), spec.clusterIPs?.join('+')].join(' ')
  } catch (error) {
    if (!isApiError(error)) throw error
    return error.message.replace(/^Service "web" is invalid: /, '')
  }
}
const checked = (next: KubeObject, before?: KubeObject): KubeObject => {
  const causes = [...serviceStrategy.validate!(next), ...(before ? serviceStrategy.validateUpdate!(next, before) : [])]
  const [first] = causes
  if (first) throw new Error(`validation refuses ${first.field}: ${first.message}`)
  return next
}
const create = (ranges: Ranges, spec: Record<string, unknown> = {}, held = heldBy()): KubeObject => {
  const draft = object('v1', 'Service', { spec: { selector: { a: 'b' }, ports: [{ port: 80 }], ...spec } })
  serviceStrategy.setDefaults!(draft)
  serviceStrategy.prepareForCreate!(draft, testContext())
  serviceStrategy.allocate!(draft, undefined, held, contextOf(ranges))
  return checked(draft)
}
const changeOf = (ranges: Ranges, before: KubeObject, change: Record<string, unknown>) => {
  const spec: Record<string, unknown> = { ...structuredClone(before['spec']), ...change }
  for (const key of Object.keys(spec)) if (spec[key] === undefined) delete spec[key]
  const draft: KubeObject = { ...structuredClone(before), spec }
  serviceStrategy.setDefaults!(draft)
  serviceStrategy.prepareForUpdate!(draft, before)
  const guards = serviceStrategy.allocate!(draft, before, heldBy(), contextOf(ranges))
  return { draft, guards }
}
const update = (ranges: Ranges, before: KubeObject, change: Record<string, unknown>): KubeObject =>
  checked(changeOf(ranges, before, change).draft, before)

const [a4, a6] = ['10.96.1.1', 'fd00:10:96::101']
const single = `SingleStack IPv4 ${a4}`

describe('a new service', () => {
  test.each([
    ['says nothing', four, {}, single],
    ['says nothing', six, {}, `SingleStack IPv6 ${a6}`],
    ['says nothing', fourSix, {}, single],
    ['says nothing', sixFour, {}, `SingleStack IPv6 ${a6}`],
    ['prefers two', four, { ipFamilyPolicy: 'PreferDualStack' }, `PreferDualStack IPv4 ${a4}`],
    ['prefers two', fourSix, { ipFamilyPolicy: 'PreferDualStack' }, `PreferDualStack IPv4+IPv6 ${a4}+${a6}`],
    ['prefers two', sixFour, { ipFamilyPolicy: 'PreferDualStack' }, `PreferDualStack IPv6+IPv4 ${a6}+${a4}`],
    ['requires two', fourSix, { ipFamilyPolicy: 'RequireDualStack' }, `RequireDualStack IPv4+IPv6 ${a4}+${a6}`],
    ['wants the other family', fourSix, { ipFamilies: ['IPv6'] }, `SingleStack IPv6 ${a6}`],
    [
      'wants them in the other order',
      fourSix,
      { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6', 'IPv4'] },
      `PreferDualStack IPv6+IPv4 ${a6}+${a4}`,
    ],
    ['names an address of the other family', fourSix, { clusterIP: 'fd00:10:96::7' }, 'SingleStack IPv6 fd00:10:96::7'],
    [
      'names both addresses',
      fourSix,
      { ipFamilyPolicy: 'RequireDualStack', clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9', 'fd00:10:96::9'] },
      'RequireDualStack IPv4+IPv6 10.96.0.9+fd00:10:96::9',
    ],
    ['is headless', fourSix, { clusterIP: 'None' }, 'SingleStack IPv4 None'],
    [
      'is headless and prefers two',
      fourSix,
      { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack' },
      'PreferDualStack IPv4+IPv6 None',
    ],
    ['is headless without selector', four, { clusterIP: 'None', selector: {} }, 'RequireDualStack IPv4+IPv6 None'],
    ['is headless without selector', sixFour, { clusterIP: 'None', selector: {} }, 'RequireDualStack IPv6+IPv4 None'],
    ['is only a name', fourSix, { type: 'ExternalName', externalName: 'a.b', ports: undefined }, '  '],
  ] as const)('that %s', (_, ranges, spec, expected) => {
    expect(shown(() => create(ranges, spec))).toBe(expected)
  })

  test.each([
    [
      four,
      { ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [four, { ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
    [
      four,
      { clusterIP: 'fd00::1' },
      'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
    ],
    [
      fourSix,
      { ipFamilies: ['IPv4', 'IPv6'] },
      `spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified`,
    ],
    [
      fourSix,
      { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9', 'fd00:10:96::9'] },
      `spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified`,
    ],
    [fourSix, { ipFamilies: ['IPv4', 'IPv4'] }, 'spec.ipFamilies[1]: Duplicate value: "IPv4"'],
    [
      fourSix,
      { clusterIP: '10.96.0.9', ipFamilies: ['IPv6'] },
      'spec.clusterIPs[0]: Invalid value: "10.96.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
    [
      fourSix,
      { ipFamilyPolicy: 'RequireDualStack', clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9', '10.96.0.8'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.9","10.96.0.8"]: may specify no more than one IP for each IP family',
    ],
    [
      fourSix,
      { clusterIP: 'fd00:10:97::1' },
      'spec.clusterIPs: Invalid value: ["fd00:10:97::1"]: failed to allocate IP fd00:10:97::1: the provided network does not match the current range',
    ],
    [
      fourSix,
      { clusterIP: '10.96.255.255' },
      'spec.clusterIPs: Invalid value: ["10.96.255.255"]: failed to allocate IP 10.96.255.255: the provided IP (10.96.255.255) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
    ],
    [
      sixFour,
      { clusterIP: 'fd00:10:96:0::1' },
      'spec.clusterIPs: Invalid value: ["fd00:10:96:0::1"]: failed to allocate IP fd00:10:96:0::1: provided IP is already allocated',
    ],
  ])('is refused: %#', (ranges, spec, expected) => {
    expect(shown(() => create(ranges as Ranges, spec))).toBe(expected)
  })

  test('may not say families where it has none', () => {
    const named = { type: 'ExternalName', externalName: 'a.b', ports: undefined }
    for (const [field, more] of Object.entries({
      clusterIPs: { clusterIP: 'None' },
      ipFamilies: { ipFamilies: ['IPv4'] },
      ipFamilyPolicy: { ipFamilyPolicy: 'SingleStack' },
    }))
      expect(() => create(four, { ...named, ...more })).toThrow(
        `validation refuses spec.${field}: Forbidden: may not be set for ExternalName services`,
      )
  })

  test('skips an address that is held, however it is spelled', () => {
    const held = heldBy({ 'clusterip/fd00:10:96::101': 'other' })
    expect(shown(() => create(six, {}, held))).toBe('SingleStack IPv6 fd00:10:96::102')
    expect(shown(() => create(six, { clusterIP: 'FD00:10:96:0::101' }, held))).toContain(
      'provided IP is already allocated',
    )
  })

  test('takes any address of a small range, its own first one apart, and is told when it is full', () => {
    const small = parseIpRanges('10.96.0.0/29')
    const holders: Record<string, string> = {}
    const next = (): string => shown(() => create(small, {}, heldBy(holders)))
    const got: string[] = []
    for (let count = 0; count < 5; count++) {
      const address = next().split(' ')[2]!
      holders[`clusterip/${address}`] = 'x'
      got.push(address)
    }
    expect(got).toEqual(['10.96.0.2', '10.96.0.3', '10.96.0.4', '10.96.0.5', '10.96.0.6'])
    expect(next()).toBe('Internal error occurred: failed to allocate a serviceIP for Service "web": range is full')
  })
})

describe('a service that is there', () => {
  const one = create(fourSix)
  const two = create(fourSix, { ipFamilyPolicy: 'PreferDualStack' })
  const required = create(fourSix, { ipFamilyPolicy: 'RequireDualStack' })
  const headless = create(fourSix, { clusterIP: 'None' })

  test.each([
    ['stays as it is', one, {}, single],
    [
      'says nothing of addresses',
      one,
      { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined, ipFamilyPolicy: undefined },
      single,
    ],
    ['gets a second address', one, { ipFamilyPolicy: 'PreferDualStack' }, `PreferDualStack IPv4+IPv6 ${a4}+${a6}`],
    ['gets a second address', one, { ipFamilyPolicy: 'RequireDualStack' }, `RequireDualStack IPv4+IPv6 ${a4}+${a6}`],
    [
      'names its second address',
      one,
      { ipFamilyPolicy: 'PreferDualStack', clusterIPs: [a4, 'fd00:10:96::55'] },
      `PreferDualStack IPv4+IPv6 ${a4}+fd00:10:96::55`,
    ],
    ['gives its second address up', two, { ipFamilyPolicy: 'SingleStack' }, single],
    ['gives it up by name', two, { ipFamilyPolicy: 'SingleStack', clusterIPs: [a4], ipFamilies: ['IPv4'] }, single],
    ['gives it up when it was required', required, { ipFamilyPolicy: 'SingleStack' }, single],
    [
      'requires what it preferred',
      two,
      { ipFamilyPolicy: 'RequireDualStack' },
      `RequireDualStack IPv4+IPv6 ${a4}+${a6}`,
    ],
    [
      'keeps both when it does not say',
      two,
      { clusterIPs: undefined, clusterIP: undefined },
      `PreferDualStack IPv4+IPv6 ${a4}+${a6}`,
    ],
    [
      'is headless and changes families',
      headless,
      { ipFamilyPolicy: 'RequireDualStack' },
      'RequireDualStack IPv4+IPv6 None',
    ],
    ['becomes a name', two, { type: 'ExternalName', externalName: 'a.b' }, '  '],
  ] as const)('%s: %#', (_, before, change, expected) => {
    expect(shown(() => update(fourSix, before, change))).toBe(expected)
  })

  test('that was a name gets addresses', () => {
    const named = create(fourSix, { type: 'ExternalName', externalName: 'a.b' })
    const change = { type: 'ClusterIP', externalName: undefined, ipFamilyPolicy: 'PreferDualStack' }
    expect(shown(() => update(fourSix, named, change))).toBe(`PreferDualStack IPv4+IPv6 ${a4}+${a6}`)
  })

  test('takes and releases exactly the guards of what changed', () => {
    const up = changeOf(fourSix, one, { ipFamilyPolicy: 'PreferDualStack' })
    expect(up.guards).toEqual({ take: [`clusterip/${a6}`], release: [] })
    const down = changeOf(fourSix, two, { ipFamilyPolicy: 'SingleStack' })
    expect(down.guards).toEqual({ take: [], release: [`clusterip/${a6}`] })
    const gone = serviceStrategy.allocate!(undefined, two, heldBy(), contextOf(fourSix))
    expect(gone).toEqual({ take: [], release: [`clusterip/${a4}`, `clusterip/${a6}`] })
  })

  test('with a preference is left alone when the ranges of the cluster changed', () => {
    const lonely = create(four, { ipFamilyPolicy: 'PreferDualStack' })
    expect(shown(() => update(fourSix, lonely, {}))).toBe(`PreferDualStack IPv4 ${a4}`)
    expect(shown(() => update(four, two, {}))).toBe(`PreferDualStack IPv4+IPv6 ${a4}+${a6}`)
    expect(shown(() => update(fourSix, lonely, { ipFamilyPolicy: 'RequireDualStack' }))).toBe(
      `RequireDualStack IPv4+IPv6 ${a4}+${a6}`,
    )
  })

  test.each([
    [
      two,
      { clusterIPs: [a4] },
      `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be 'SingleStack' to release the secondary cluster IP`,
    ],
    [
      two,
      { ipFamilies: ['IPv4'] },
      `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be 'SingleStack' to release the secondary IP family`,
    ],
    [
      one,
      { ipFamilies: ['IPv4', 'IPv6'] },
      `spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified`,
    ],
  ])('is refused: %#', (before, change, expected) => {
    expect(shown(() => update(fourSix, before, change))).toBe(expected)
  })

  test.each([
    [two, { clusterIPs: [a4, 'fd00:10:96::55'] }, 'spec.clusterIPs[1]: Invalid value'],
    [
      one,
      { clusterIP: '10.96.9.9', clusterIPs: ['10.96.9.9'] },
      'spec.clusterIPs[0]: Invalid value: ["10.96.9.9"]: may not change once set',
    ],
    [one, { ipFamilies: ['IPv6'], clusterIP: a6, clusterIPs: [a6] }, 'may not change once set'],
  ])('may not change what it has: %#', (before, change, expected) => {
    expect(() => update(fourSix, before, change)).toThrow(expected)
  })
})

test('ranges of services that nobody could use are refused', () => {
  expect(() => parseServiceRanges('10.96.0.0/30')).toThrow('at least 8 addresses')
  expect(() => parseServiceRanges('fd00::/48')).toThrow('too large')
  expect(parseServiceRanges('fd00::/108,10.0.0.0/24')).toHaveLength(2)
})
