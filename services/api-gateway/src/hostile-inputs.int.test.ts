// Requests that nobody means well with: whatever comes, the gateway answers with a valid Status and goes on. A million of them:
// `npm run hostile` (conformance/hostile).
import { expect, test } from 'vitest'
import { runHostile } from './testing/hostile-run.ts'

/** Those of the nightly run begin elsewhere, every night. */
const from = 0
const count = 20_000
const timeoutMs = 600_000

test('no request ends the gateway, is answered with 500, or gets what is no Status', { timeout: timeoutMs }, async () => {
  const { faults, codes } = await runHostile({ from, count })
  expect(faults.slice(0, 5)).toEqual([])
  // They do reach what stands behind the first checks.
  expect(codes[201]).toBeGreaterThan(count / 1_000)
  expect(codes[422]).toBeGreaterThan(count / 100)
})
