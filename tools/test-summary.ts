// What a person (and the log of a CI run) should read after the tests: how many of each tier passed, what failed, what was
// skipped, and which files took the time.
import { relative } from 'node:path'

/** The part of vitest's JSON report that is read here. */
export interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly startTime: number
    readonly endTime: number
    readonly message?: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

export interface SummaryLine {
  readonly text: string
  readonly tone: 'plain' | 'green' | 'red' | 'yellow' | 'dim'
}

const slowestShown = 5

export function tierOf(path: string): string {
  if (path.startsWith('conformance/')) return 'conformance'
  return path.endsWith('.int.test.ts') ? 'integration' : 'pure'
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** The summary of a report; paths are told from `root`. */
export function summaryLines(report: Report, root: string): readonly SummaryLine[] {
  const files = report.testResults.map((file) => ({
    path: relative(root, file.name),
    ms: Math.max(0, file.endTime - file.startTime),
    broken: file.status === 'failed' && file.assertionResults.length === 0,
    message: file.message ?? '',
    passed: file.assertionResults.filter((test) => test.status === 'passed').length,
    skipped: file.assertionResults.filter((test) => !['passed', 'failed'].includes(test.status)).length,
    failed: file.assertionResults.filter((test) => test.status === 'failed').map((test) => test.fullName),
  }))
  const lines: SummaryLine[] = [{ text: '', tone: 'plain' }]
  for (const tier of ['pure', 'integration', 'conformance']) {
    const mine = files.filter((file) => tierOf(file.path) === tier)
    if (mine.length === 0) continue
    const sum = (count: (file: (typeof mine)[number]) => number): number =>
      mine.reduce((total, file) => total + count(file), 0)
    const failed = sum((file) => file.failed.length + (file.broken ? 1 : 0))
    const skipped = sum((file) => file.skipped)
    lines.push({
      text:
        `${tier.padEnd(12)} ${sum((file) => file.passed)} passed, ${failed} failed` +
        `${skipped ? `, ${skipped} skipped` : ''} in ${mine.length} files, ${seconds(sum((file) => file.ms))}`,
      tone: failed ? 'red' : skipped ? 'yellow' : 'green',
    })
  }
  for (const file of files) {
    if (file.broken) lines.push({ text: `FAILED ${file.path}: ${file.message.split('\n')[0]}`, tone: 'red' })
    for (const name of file.failed) lines.push({ text: `FAILED ${file.path} > ${name}`, tone: 'red' })
  }
  const slowest = files
    .toSorted((left, right) => right.ms - left.ms)
    .slice(0, slowestShown)
    .map((file) => `${file.path} ${seconds(file.ms)}`)
  lines.push({ text: `slowest: ${slowest.join(', ')}`, tone: 'dim' })
  return lines
}
