// Reads the JSON report of ginkgo: what became of each spec of the suite.

/** The parts of ginkgo's `types.SpecReport` that are read. */
interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null
  readonly LeafNodeText: string
  readonly LeafNodeType: string
  readonly State: string
  readonly Failure?: { readonly Message?: string }
  /** Nanoseconds. */
  readonly RunTime?: number
}

export type GinkgoReport = readonly { readonly SpecReports: readonly SpecReport[] | null }[]

export interface Outcome {
  /** As upstream's conformance list has it: `[sig-apps] Job should … [Conformance]`. */
  readonly spec: string
  readonly state: 'passed' | 'failed' | 'not run'
  /** The first sentence of a failure. */
  readonly why?: string
  readonly seconds: number
}

/** What ginkgo says of a spec that the limit of the whole run ended. */
const cutOff = 'A suite timeout occurred'
/** Longest reason that is kept. */
const reasonCharactersMax = 200

/** The outcomes of one report, without the specs that were not asked for. */
export function outcomesOf(report: GinkgoReport): readonly Outcome[] {
  return report
    .flatMap(({ SpecReports }) => SpecReports ?? [])
    .filter(({ LeafNodeType }) => LeafNodeType === 'It')
    .filter(({ State }) => State !== 'skipped' && State !== 'pending')
    .map(outcomeOf)
}

function outcomeOf(report: SpecReport): Outcome {
  const spec = [...(report.ContainerHierarchyTexts ?? []), report.LeafNodeText].join(' ')
  const seconds = Math.round((report.RunTime ?? 0) / 1e9)
  if (report.Failure?.Message?.startsWith(cutOff)) return { spec, state: 'not run', seconds }
  switch (report.State) {
    case 'passed':
      return { spec, state: 'passed', seconds }
    // The limit of the run cut it off: nothing is known.
    case '':
    case 'interrupted':
      return { spec, state: 'not run', seconds }
    default:
      return { spec, state: 'failed', why: reasonOf(report.Failure?.Message ?? report.State), seconds }
  }
}

/** One line without what differs from run to run (names with random parts, addresses, times), so that records compare. */
export function reasonOf(message: string): string {
  const line = message
    .split('\n')
    .map((text) => text.trim())
    .find((text) => text !== '' && !text.endsWith(':'))
  return (line ?? message.trim())
    .replaceAll(/https?:\/\/(\[[\da-f:]+\]|[\d.]+)(:\d+)?/g, 'https://…')
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '…')
    .replaceAll(/\b0x[0-9a-f]+\b/g, '…')
    .replaceAll(/-\d{3,}\b/g, '-…')
    .replaceAll(/\b\d+(\.\d+)?(ms|s|m\d+s)\b/g, '…')
    .slice(0, reasonCharactersMax)
}
