// How much of each fault test runs: a size that fits every run of the tests, or the full one (`npm run test:faults`).

export const isFull = process.env['SHIPLOG_FAULTS'] === 'full'

/** The one or the other size. */
export const sized = (usual: number, full: number): number => (isFull ? full : usual)

/** `SHIPLOG_SEED=7` repeats the choices of a run that printed seed 7. */
export const seed = Number(process.env['SHIPLOG_SEED'] ?? Math.floor(Math.random() * 1_000_000))

/** One line with a test's figures, past the test runner's own report. */
export const tell = (line: string): void => void process.stderr.write(`  ${line}\n`)
