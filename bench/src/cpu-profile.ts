// Reads what `node --cpu-prof` wrote: where the time went, function by function. Pure.

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

/** The parts of a .cpuprofile that are used here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** Microseconds of the machine's monotonic clock. */
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface SelfTime {
  /** `commit libs/events/src/commit/group-committer.ts:190`. */
  readonly where: string
  readonly ms: number
}

const idleFunctions = new Set(['(idle)', '(program)'])

/** `file:///…/libs/api/src/x.ts` → `libs/api/src/x.ts`; packages by their own path. */
function shortUrl(url: string): string {
  const modules = url.lastIndexOf('node_modules/')
  if (modules >= 0) return url.slice(modules + 'node_modules/'.length)
  return /.*\/((?:libs|services|apps|tools|bench)\/.*)$/.exec(url)?.[1] ?? url
}

/** Time at the top of the stack per function, most first, between two moments of the monotonic clock (default: all). */
export function selfTimes(profile: CpuProfile, fromUs = 0, toUs = Number.POSITIVE_INFINITY): SelfTime[] {
  const names = new Map<number, string>()
  for (const { id, callFrame } of profile.nodes) {
    const { functionName, url, lineNumber } = callFrame
    const place = url === '' ? '' : ` ${shortUrl(url)}:${lineNumber + 1}`
    names.set(id, `${functionName || '(anonymous)'}${place}`)
  }
  const times = new Map<string, number>()
  let now = profile.startTime
  for (const [index, delta] of profile.timeDeltas.entries()) {
    now += delta
    if (now < fromUs || now > toUs) continue
    // A sample's delta is the time since the one before: it belongs to that one.
    const name = names.get(profile.samples[index - 1] ?? -1)
    if (name !== undefined) times.set(name, (times.get(name) ?? 0) + delta / 1_000)
  }
  return [...times].map(([where, ms]) => ({ where, ms })).sort((a, b) => b.ms - a.ms)
}

/** The first `count` functions as lines; shares are of the busy time, idle and native waiting apart. */
export function formatSelfTimes(times: readonly SelfTime[], count = 25): string {
  const busy = times.filter(({ where }) => !idleFunctions.has(where))
  const total = busy.reduce((sum, { ms }) => sum + ms, 0)
  const idle = times
    .filter(({ where }) => idleFunctions.has(where))
    .map(({ where, ms }) => `${where} ${ms.toFixed(0)} ms`)
  const lines = busy
    .slice(0, count)
    .map(
      ({ where, ms }) => `${((ms / total) * 100).toFixed(1).padStart(6)} %  ${ms.toFixed(0).padStart(6)} ms  ${where}`,
    )
  return [`busy in JavaScript ${total.toFixed(0)} ms${idle.length > 0 ? `; ${idle.join(', ')}` : ''}`, ...lines].join(
    '\n',
  )
}
