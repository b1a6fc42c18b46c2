// `npm run bench:scheduler [-- [core | end-to-end] [--upstream] [--profile] [Workload …]]`: kube-scheduler's own benchmark, on
// ours: the core alone, and end to end; with `--upstream` end to end on the real one, too; with `--profile` where our time goes.
import { formatNumber } from '../report.ts'
import { decisionsPerSecond } from './decisions.ts'
import { measureEndToEnd } from './end-to-end.ts'
import { type Workload, workloads } from './workloads.ts'

const say = (cells: readonly string[]): void =>
  console.log(cells.map((cell, column) => (column === 0 ? cell.padEnd(40) : cell.padStart(14))).join(''))

const given = process.argv.slice(2)
const [first] = given
const part = first === 'core' || first === 'end-to-end' ? first : undefined
const names = given.slice(part === undefined ? 0 : 1).filter((name) => !name.startsWith('--'))
const isProfiled = given.includes('--profile')
const chosen = names.length === 0 ? workloads : workloads.filter(({ name }) => names.includes(name))
if (chosen.length < names.length) throw new Error(`workloads: ${workloads.map(({ name }) => name).join(', ')}`)

async function endToEnd(workload: Workload): Promise<readonly string[]> {
  const { name, threshold } = workload
  const ours = await measureEndToEnd(workload, 'ours', isProfiled)
  const cells = [name, ...[ours.perSecond, threshold, ours.perSecond / threshold, ours.cpuMsPerPod, ours.megabytes].map(formatNumber)]
  if (!given.includes('--upstream')) return cells
  const theirs = await measureEndToEnd(workload, 'upstream')
  return [...cells, ...[theirs.perSecond, ours.perSecond / theirs.perSecond, theirs.cpuMsPerPod, theirs.megabytes].map(formatNumber)]
}

if (part !== 'end-to-end') {
  say(['decisions per second', 'core', 'plain path', 'upstream asks', 'core/asked', ''])
  for (const workload of chosen) say(decisionsPerSecond(workload))
}
if (part !== 'core') {
  const upstream = given.includes('--upstream') ? ['upstream', 'ours/upstream', 'CPU ms a pod', 'MB'] : []
  say(['pods per second, created to bound', 'ours', 'upstream asks', 'ours/asked', 'CPU ms a pod', 'MB', ...upstream])
  for (const workload of chosen) say(await endToEnd(workload))
}
