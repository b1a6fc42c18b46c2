import { expect, test } from 'vitest'
import { type Report, summaryLines } from './test-summary.ts'

const file = (
  name: string,
  statuses: readonly string[],
  ms = 100,
  more: object = {},
): Report['testResults'][number] => ({
  name: `/repo/${name}`,
  startTime: 0,
  endTime: ms,
  status: statuses.includes('failed') ? 'failed' : 'passed',
  assertionResults: statuses.map((status, index) => ({ fullName: `${status} ${index}`, status })),
  ...more,
})

test('each tier is counted, failures are named, and a file that could not be read is a failure', () => {
  const lines = summaryLines(
    {
      testResults: [
        file('libs/a.test.ts', ['passed', 'passed']),
        file('libs/b.int.test.ts', ['passed', 'failed', 'pending'], 2500),
        file('conformance/c.test.ts', [], 10, { status: 'failed', message: 'cannot import\nat line 1' }),
      ],
    },
    '/repo',
  ).map((line) => `${line.tone}: ${line.text}`)
  expect(lines).toEqual([
    'plain: ',
    'green: pure         2 passed, 0 failed in 1 files, 0.1 s',
    'red: integration  1 passed, 1 failed, 1 skipped in 1 files, 2.5 s',
    'red: conformance  0 passed, 1 failed in 1 files, 0.0 s',
    'red: FAILED libs/b.int.test.ts > failed 1',
    'red: FAILED conformance/c.test.ts: cannot import',
    'dim: slowest: libs/b.int.test.ts 2.5 s, libs/a.test.ts 0.1 s, conformance/c.test.ts 0.0 s',
  ])
})
