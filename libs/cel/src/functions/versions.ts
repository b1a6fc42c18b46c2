// Semantic versions, as Kubernetes' `semver()` reads them: `1.2.3-rc.1+build`.
import { goQuote } from '@shiplog/api/decode/go-quote'
import { EvaluationError } from '../values.ts'

export const semverType = 'kubernetes.Semver'

export interface Version {
  readonly numbers: readonly [major: bigint, minor: bigint, patch: bigint]
  readonly prerelease: readonly (bigint | string)[]
}

const names = ['Major', 'Minor', 'Patch'] as const
const uint64Max = 2n ** 64n - 1n
const charactersMax = 10_000

const numberOf = (text: string, name: (typeof names)[number]): bigint => {
  if (!/^\d+$/.test(text)) throw new EvaluationError(`Invalid character(s) found in ${name.toLowerCase()} number ${goQuote(text)}`)
  if (text.length > 1 && text.startsWith('0'))
    throw new EvaluationError(`${name} number must not contain leading zeroes ${goQuote(text)}`)
  const value = BigInt(text)
  if (value > uint64Max) throw new EvaluationError(`strconv.ParseUint: parsing ${goQuote(text)}: value out of range`)
  return value
}

const prereleasePart = (text: string): bigint | string => {
  if (text === '') throw new EvaluationError('Prerelease is empty')
  if (!/^[0-9A-Za-z-]+$/.test(text)) throw new EvaluationError(`Invalid character(s) found in prerelease ${goQuote(text)}`)
  if (!/^\d+$/.test(text)) return text
  if (text.length > 1 && text.startsWith('0'))
    throw new EvaluationError(`Numeric PreRelease version must not contain leading zeroes ${goQuote(text)}`)
  return BigInt(text)
}

/** `v1.2` → `1.2.0`, without leading zeros. */
const normalized = (given: string): string => {
  const [major = '', minor, ...rest] = given.replace(/^v/, '').split('.')
  const parts = [major, ...(minor === undefined ? [] : [minor]), ...(rest.length > 0 ? [rest.join('.')] : [])].map((part) =>
    part.length > 1 ? part.replace(/^0+(?=\d)/, '').replace(/^0+(?!\d)/, '0') : part,
  )
  if (parts.length < 3 && /[+-]/.test(parts.at(-1)!))
    throw new EvaluationError('short version cannot contain PreRelease/Build meta data')
  while (parts.length < 3) parts.push('0')
  return parts.join('.')
}

export const parseVersion = (given: string, normalize: boolean): Version => {
  if (given.length > charactersMax) throw new EvaluationError('No Major.Minor.Patch elements found')
  const text = normalize ? normalized(given) : given
  if (text === '') throw new EvaluationError('Version string empty')
  const [major, minor, ...more] = text.split('.')
  if (minor === undefined || more.length === 0) throw new EvaluationError('No Major.Minor.Patch elements found')
  const last = more.join('.')
  const plus = last.indexOf('+')
  const beforeBuild = plus < 0 ? last : last.slice(0, plus)
  const dash = beforeBuild.indexOf('-')
  const version: Version = {
    numbers: [
      numberOf(major!, 'Major'),
      numberOf(minor, 'Minor'),
      numberOf(dash < 0 ? beforeBuild : beforeBuild.slice(0, dash), 'Patch'),
    ],
    prerelease: dash < 0 ? [] : beforeBuild.slice(dash + 1).split('.').map(prereleasePart),
  }
  if (plus >= 0) checkBuild(last.slice(plus + 1))
  return version
}

const checkBuild = (text: string): void => {
  for (const part of text.split('.')) {
    if (part === '') throw new EvaluationError('Build meta data is empty')
    if (!/^[0-9A-Za-z-]+$/.test(part))
      throw new EvaluationError(`Invalid character(s) found in build meta data ${goQuote(part)}`)
  }
}

export const compareVersions = (a: Version, b: Version): number => {
  for (const at of [0, 1, 2] as const) if (a.numbers[at] !== b.numbers[at]) return a.numbers[at] < b.numbers[at] ? -1 : 1
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return Math.sign(b.prerelease.length - a.prerelease.length)
  for (let at = 0; at < Math.min(a.prerelease.length, b.prerelease.length); at++) {
    const [x, y] = [a.prerelease[at]!, b.prerelease[at]!]
    if (x === y) continue
    if (typeof x !== typeof y) return typeof x === 'bigint' ? -1 : 1
    return x < y ? -1 : 1
  }
  return Math.sign(a.prerelease.length - b.prerelease.length)
}
