// `shiplog replay`: computes every recorded attempt to schedule again and tells how many come out as recorded; with
// another configuration, which decisions would have been different.
import { builtInCatalogue } from '@shiplog/domain/catalogue/catalogue'
import type { Profile } from '@shiplog/scheduling/framework/configuration'
import type { Profiles } from '@shiplog/scheduling/framework/profiles'
import { schedule } from '@shiplog/scheduling/framework/schedule'
import type { DamagedRecord } from '@shiplog/feed/record-codec'
import { damageJson, damageLine, say, warnOfDamage } from '../history/history-records.ts'
import { type HistorySource, type SourceOptions, withHistory } from '../history/history-source.ts'
import { type Attempt, type AttemptInput, type AttemptResult, readAttempts, resultOf } from '@shiplog/scheduling/replay/attempt-log'
import { type AttemptState, walkAttempts } from '@shiplog/scheduling/replay/recorded-attempts'
import { profileFor, recordedProfiles } from '@shiplog/scheduling/replay/recorded-profiles'
import { profilesFromFile } from './replay-configuration.ts'

export interface ReplayOptions extends SourceOptions {
  readonly config?: string | undefined
  readonly output: 'text' | 'json'
}

export interface Difference {
  readonly attempt: Attempt
  readonly recomputed: AttemptResult
}

export interface ReplayReport {
  readonly attempts: number
  /** Those that found no node. */
  readonly failures: number
  readonly identical: number
  /** With another configuration: the same node (or none), though scores or reasons may differ. */
  readonly sameChoice: number
  readonly different: readonly Difference[]
  /** Damage among what was read: attempts may be missing there. */
  readonly damages: readonly DamagedRecord[]
  /** Attempts whose state cannot be rebuilt, and why. */
  readonly unknown: readonly { readonly attempt: Attempt; readonly why: string }[]
}

/** Gives the exit code: 0 as recorded, 1 when something differs or cannot be recomputed. */
export async function replay(options: ReplayOptions): Promise<number> {
  const others = options.config === undefined ? undefined : profilesFromFile(options.config)
  const report = await withHistory(options, (source) => replayAll(source, others))
  warnOfDamage(report.damages)
  if (options.output === 'json') {
    const { different, unknown, damages } = report
    say(
      JSON.stringify({
        ...report,
        different: different.map(flat),
        unknown: unknown.map(unknownFlat),
        damages: damages.map(damageJson),
      }),
    )
  } else print(report, others !== undefined)
  return report.different.length + report.unknown.length === 0 ? 0 : 1
}

/** Recomputes everything; without profiles each attempt under the configuration that it was made with. */
export async function replayAll(source: HistorySource, others?: Profiles): Promise<ReplayReport> {
  const log = await readAttempts(source)
  const recorded = recordedProfiles(log)
  const damages = log.damages
  const different: Difference[] = []
  const unknown: { attempt: Attempt; why: string }[] = []
  let identical = 0
  let sameChoice = 0
  await walkAttempts(source, log, (attempt, state) => {
    // A scheduler whose name the file does not know is tried under its first profile.
    const other = others && (others.of(attempt.input.scheduler) ?? others.first)
    const own = other ?? recorded.of(attempt.input)
    const profile = 'unknown' in own ? own : profileFor(attempt.input, own)
    if ('unknown' in state) unknown.push({ attempt, why: state.unknown })
    else if ('unknown' in profile) unknown.push({ attempt, why: profile.unknown })
    else {
      const recomputed = recompute(attempt.input, state, profile)
      if (same(recomputed, attempt.recorded)) identical++
      else if (other && recomputed.node === attempt.recorded.node) sameChoice++
      else different.push({ attempt, recomputed })
    }
    return true
  })
  const failures = log.attempts.filter(({ recorded }) => recorded.node === undefined).length
  return { attempts: log.attempts.length, failures, identical, sameChoice, different, unknown, damages }
}

/** Sees what the attempt saw, and nothing of what came of it. */
const recompute = ({ seed, ties }: AttemptInput, { pod, snapshot }: AttemptState, profile: Profile): AttemptResult =>
  resultOf(schedule(pod, snapshot, profile, seed, ties))

const canonical = ({ node, feasible, evaluated, top, message, rejections, preemption }: AttemptResult): string =>
  JSON.stringify([
    node ?? null,
    feasible,
    evaluated,
    top.map((one) => [one.node, one.score]),
    message ?? null,
    ((rejections ?? []) as { plugin: string; reason: string; nodes: number }[]).map((one) => [
      one.plugin,
      one.reason,
      one.nodes,
    ]),
    preemption ? [preemption.node, preemption.victims] : null,
  ])

const same = (a: AttemptResult, b: AttemptResult): boolean => canonical(a) === canonical(b)

const flat = ({ attempt, recomputed }: Difference): object => ({
  sequence: attempt.sequence,
  ...attempt.input,
  recorded: attempt.recorded,
  recomputed,
})

const unknownFlat = ({ attempt, why }: { attempt: Attempt; why: string }): object => ({
  sequence: attempt.sequence,
  ...attempt.input,
  why,
})

const outcome = ({ node, top, message, preemption }: AttemptResult): string => {
  if (node !== undefined) return `${node} (${top[0]?.score ?? 0})`
  const victims = preemption ? `, preempts ${preemption.victims.length} on ${preemption.node}` : ''
  return `nowhere (${message ?? ''})${victims}`
}

function print(report: ReplayReport, isOther: boolean): void {
  const { attempts, failures, identical, sameChoice, different, unknown, damages } = report
  for (const damaged of damages) say(damageLine(builtInCatalogue(), damaged))
  for (const { attempt, recomputed } of different) {
    const { input, recorded, sequence } = attempt
    say(`${sequence}  pod/${input.pod.split('/')[1]} in ${input.pod.split('/')[0]}, decided at ${input.basis}`)
    say(`    recorded:   ${outcome(recorded)}`)
    say(`    recomputed: ${outcome(recomputed)}`)
  }
  for (const { attempt, why } of unknown.slice(0, unknownShownMax))
    say(`${attempt.sequence}  pod/${attempt.input.pod}: cannot be computed again: ${why}`)
  if (unknown.length > unknownShownMax)
    say(`… and ${unknown.length - unknownShownMax} more that cannot be computed again`)
  const parts = [
    `${attempts} attempts (${failures} found no node)`,
    `${identical} identical`,
    ...(isOther ? [`${sameChoice} with the same choice for other reasons`] : []),
    `${different.length} different`,
    ...(unknown.length > 0 ? [`${unknown.length} cannot be computed again`] : []),
  ]
  say(parts.join(', '))
}

const unknownShownMax = 20
