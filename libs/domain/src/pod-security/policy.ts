// The Pod Security policy of a namespace, as its labels say it: a level and a version for each of three modes.
import { invalidValue } from '@shiplog/api/field-errors'
import type { StatusCause } from '@shiplog/api/status'

const levels = ['privileged', 'baseline', 'restricted'] as const
/** From the laxest to the strictest. */
export type Level = (typeof levels)[number]

/** A level as of a minor version of 1.x; Infinity is `latest`. */
export interface LevelVersion {
  readonly level: Level
  readonly version: number
}

export interface Policy {
  readonly enforce: LevelVersion
  readonly audit: LevelVersion
  readonly warn: LevelVersion
}

/** The policy, and what is wrong with the labels: the mode of a wrong one has what is safe to assume. */
export interface LabelledPolicy {
  readonly policy: Policy
  readonly causes: readonly StatusCause[]
}

const prefix = 'pod-security.kubernetes.io/'
export const modes = ['enforce', 'audit', 'warn'] as const
export type Mode = (typeof modes)[number]

export const levelLabel = (mode: Mode): string => `${prefix}${mode}`
export const versionLabel = (mode: Mode): string => `${prefix}${mode}-version`
const labelKeys = modes.flatMap((mode) => [levelLabel(mode), versionLabel(mode)])

const latest = Number.POSITIVE_INFINITY
const privileged: LevelVersion = { level: 'privileged', version: latest }
/** Most namespaces have no such label: nothing is made anew for them. */
const unlabelled: LabelledPolicy = {
  policy: { enforce: privileged, audit: privileged, warn: privileged },
  causes: [],
}

export const levelVersionText = ({ level, version }: LevelVersion): string =>
  `${level}:${version === latest ? 'latest' : `v1.${version}`}`

/** Positive when `a` is the stricter. */
export const compareLevels = (a: Level, b: Level): number => levels.indexOf(a) - levels.indexOf(b)

export const sameLevelVersion = (a: LevelVersion, b: LevelVersion): boolean =>
  a.level === b.level && a.version === b.version

export const isFullyPrivileged = (policy: Policy): boolean => modes.every((mode) => policy[mode].level === 'privileged')

const isLevel = (text: string): text is Level => (levels as readonly string[]).includes(text)

/** undefined when it is none. */
function versionOf(text: string): number | undefined {
  if (text === 'latest') return latest
  const minor = Number(/^v1\.(0|[1-9][0-9]*)$/.exec(text)?.[1] ?? Number.NaN)
  return Number.isSafeInteger(minor) ? minor : undefined
}

/** A wrong level enforces the strictest, and neither audits nor warns; a wrong version is the latest. */
export function policyOf(labels: Readonly<Record<string, string>> | undefined): LabelledPolicy {
  if (labels === undefined || !labelKeys.some((key) => labels[key] !== undefined)) return unlabelled
  const causes: StatusCause[] = []
  const refuse = (label: string, detail: string): void => {
    causes.push(invalidValue(`metadata.labels[${label}]`, labels[label], detail))
  }
  const read = (mode: Mode): LevelVersion => {
    const [levelText, versionText] = [labels[levelLabel(mode)], labels[versionLabel(mode)]]
    let { level, version } = privileged
    if (levelText !== undefined && isLevel(levelText)) level = levelText
    else if (levelText !== undefined) {
      level = mode === 'enforce' ? 'restricted' : 'privileged'
      refuse(levelLabel(mode), `must be one of ${levels.join(', ')}`)
    }
    if (versionText !== undefined) {
      const parsed = versionOf(versionText)
      version = parsed ?? latest
      if (parsed === undefined) refuse(versionLabel(mode), 'must be "latest" or "v1.x"')
    }
    return { level, version }
  }
  const [enforce, audit, warn] = [read('enforce'), read('audit'), read('warn')]
  return { policy: { enforce, audit, warn: impliedWarn(labels, enforce, warn) }, causes }
}

/** Who is refused pods is warned when they make what would make such pods, unless they chose what to be warned of. */
function impliedWarn(
  labels: Readonly<Record<string, string>>,
  enforce: LevelVersion,
  warn: LevelVersion,
): LevelVersion {
  const said = labels[levelLabel('enforce')]
  const isImplied = labels[levelLabel('warn')] === undefined && said !== undefined && isLevel(said)
  if (!isImplied || compareLevels(enforce.level, warn.level) <= 0) return warn
  return labels[versionLabel('warn')] === undefined ? enforce : { ...warn, level: enforce.level }
}
