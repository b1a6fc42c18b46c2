// `npm run conformance:controllers [-- upstream|ours] [FILTER…]`: plays the scenarios of controllers on a gateway of ours. With
// `upstream` the unmodified kube-controller-manager works beside it, and what it did is put on record (recorded.json); with
// `ours` our own controllers do, and every difference from the record is told. `npm test` compares without either.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startBench } from '../src/suite.ts'
import { runControllers } from '../upstream/component.ts'
import { differencesOf } from './differences.ts'
import { createLiveCluster } from './live-cluster.ts'
import { play } from './play.ts'
import { type PackedRecords, recordText, unpackRecords } from './record-file.ts'
import { scenarios } from './scenarios.ts'

const file = join(import.meta.dirname, 'recorded.json')
const concurrency = 12
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const [side = 'ours', ...filters] = process.argv.slice(2)
if (side !== 'upstream' && side !== 'ours') throw new Error('which controllers: upstream or ours?')
const chosen = scenarios.filter(({ id }) => filters.length === 0 || filters.some((filter) => id.includes(filter)))

/** Leases of the script's nodes are not renewed: who looks at them is left out. */
const controllers = '*,-node-lifecycle-controller,-taint-eviction-controller'
const running = await startBench('embedded', [
  ...['--controllers', side === 'upstream' ? 'clusterrole-aggregation-controller' : '*,-node-lifecycle-controller,-node-ipam-controller'],
  ...['--simulated-nodes', '0'],
  // Nobody would take the taint of new nodes away.
  ...['--disable-admission-plugins', 'TaintNodesByCondition'],
])
const manager = side === 'upstream' ? await runControllers(running.cluster.kubeconfig, controllers.split(','), say) : undefined
const cluster = await createLiveCluster(running.http)
await cluster.warmUp()
const recorded = unpackRecords(JSON.parse(readFileSync(file, 'utf8')) as PackedRecords)
let failed = 0
const queue = [...chosen]

async function worker(): Promise<void> {
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { id } = next
    try {
      const pictures = await play(next, await cluster.stage(`by-hand-${id.replaceAll('/', '-')}`))
      if (side === 'upstream') {
        recorded[id] = { steps: next.steps, pictures }
        say(`recorded ${id}`)
        continue
      }
      const differences = differencesOf(next, recorded[id], pictures)
      say(`${differences.length === 0 ? 'same   ' : 'DIFFERS'} ${id}`)
      for (const line of differences) say(`    ${line}`)
      if (differences.length > 0) failed++
    } catch (error) {
      failed++
      say(`FAILED  ${id}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

try {
  await Promise.all(Array.from({ length: concurrency }, worker))
  if (side === 'upstream') {
    const known = Object.fromEntries(
      scenarios.flatMap(({ id }) => (recorded[id] ? [[id, recorded[id]]] : [])),
    )
    writeFileSync(file, recordText(known))
  }
  say(`${chosen.length - failed} of ${chosen.length}`)
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  cluster.stop()
  if (failed > 0 && manager) say(manager.output().slice(-2_000))
  await manager?.stop()
  await running.close()
}
