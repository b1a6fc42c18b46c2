import { describe, expect, test } from 'vitest'
import { compareLevels, isFullyPrivileged, levelVersionText, modes, policyOf } from './policy.ts'

const label = (mode: string): string => `pod-security.kubernetes.io/${mode}`
const labelsOf = (values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([mode, value]) => [label(mode), value]))
const told = (values: Record<string, string>): string => {
  const { policy } = policyOf(labelsOf(values))
  return modes.map((mode) => levelVersionText(policy[mode])).join(' ')
}
const latest = 'privileged:latest'

describe('the labels of a namespace', () => {
  test('ask for nothing when there are none, and make nothing', () => {
    expect(isFullyPrivileged(policyOf(undefined).policy)).toBe(true)
    expect(policyOf({ team: 'a' })).toBe(policyOf(undefined))
  })

  test.each([
    [{ enforce: 'baseline' }, `baseline:latest ${latest} baseline:latest`],
    [{ enforce: 'baseline', 'enforce-version': 'v1.30' }, `baseline:v1.30 ${latest} baseline:v1.30`],
    [{ enforce: 'baseline', 'warn-version': 'v1.0' }, `baseline:latest ${latest} baseline:v1.0`],
    [{ enforce: 'restricted', warn: 'privileged' }, `restricted:latest ${latest} ${latest}`],
    [{ audit: 'restricted', 'audit-version': 'latest' }, `${latest} restricted:latest ${latest}`],
    [{ warn: 'restricted', 'warn-version': 'v1.9' }, `${latest} ${latest} restricted:v1.9`],
    [{ 'enforce-version': 'v1.9' }, `privileged:v1.9 ${latest} ${latest}`],
  ])('%j mean %s', (values, policy) => {
    expect(told(values)).toBe(policy)
    expect(policyOf(labelsOf(values)).causes).toEqual([])
  })

  test('that are wrong enforce what is safe, and say so one by one', () => {
    const values = { enforce: 'Baseline', 'enforce-version': 'v1.01', audit: '', warn: 'x', 'warn-version': '1.30' }
    expect(told(values)).toBe(`restricted:latest ${latest} ${latest}`)
    const level = 'must be one of privileged, baseline, restricted'
    const version = 'must be "latest" or "v1.x"'
    expect(policyOf(labelsOf(values)).causes).toEqual(
      [
        ['enforce', 'Baseline', level],
        ['enforce-version', 'v1.01', version],
        ['audit', '', level],
        ['warn', 'x', level],
        ['warn-version', '1.30', version],
      ].map(([mode, value, detail]) => ({
        reason: 'FieldValueInvalid',
        message: `Invalid value: "${value}": ${detail}`,
        field: `metadata.labels[${label(mode!)}]`,
      })),
    )
  })
})

test('levels are ordered by how strict they are', () => {
  expect(compareLevels('restricted', 'baseline')).toBeGreaterThan(0)
  expect(compareLevels('privileged', 'baseline')).toBeLessThan(0)
  expect(compareLevels('baseline', 'baseline')).toBe(0)
})
