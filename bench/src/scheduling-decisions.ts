// Decisions per second of the scheduling core alone, on the shapes of upstream's SchedulingBasic: 5,000 nodes, 1,000 pods
// that are there before the clock starts, then 10,000 pods. Beside it the same decisions by the plain path, which looks
// at every node for every pod.
//
//   node bench/src/scheduling-decisions.ts [nodes=5000] [init=1000] [pods=10000]
import { createProfile, defaultConfiguration } from '@shiplog/scheduling/framework/configuration'
import { createPlacementIndex } from '@shiplog/scheduling/index/placement-index'
import { schedule } from '@shiplog/scheduling/framework/schedule'
import { Snapshot } from '@shiplog/scheduling/snapshot/snapshot'
import { testNode, testPod } from '@shiplog/scheduling/testing/test-objects'

const [nodes, initial, measured] = [5000, 1000, 10_000].map((standard, index) =>
  Number(process.argv[index + 2] ?? standard),
) as [number, number, number]

const profile = createProfile(defaultConfiguration)

/** A pod object as the feed would bring it: nothing shared with the one before. */
const podObjects = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, number) => JSON.parse(JSON.stringify(testPod(`${prefix}-${number}`))))

function fill() {
  const snapshot = new Snapshot()
  for (let node = 0; node < nodes; node++) snapshot.setNode(testNode(`node-${node}`))
  const index = createPlacementIndex(snapshot, profile, 0)
  for (const object of podObjects('init', initial)) {
    const pod = snapshot.readPod(object)
    snapshot.assume(pod, index.schedule(pod).node!)
  }
  return { snapshot, index }
}

function measure(label: string, count: number, decide: (object: ReturnType<typeof testPod>) => void): void {
  const objects = podObjects('pod', count)
  const started = process.hrtime.bigint()
  for (const object of objects) decide(object)
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  console.log(
    `${label}: ${count} decisions in ${(seconds * 1000).toFixed(1)} ms = ${Math.round(count / seconds)} decisions/s`,
  )
}

console.log(`SchedulingBasic, decision only: ${nodes} nodes, ${initial} pods before, node ${process.version}`)
for (let run = 1; run <= 3; run++) {
  const { snapshot, index } = fill()
  measure(`index, run ${run}, pod read included`, measured, (object) => {
    const pod = snapshot.readPod(object)
    snapshot.assume(pod, index.schedule(pod).node!)
  })
}
const { snapshot } = fill()
measure('plain path, every node for every pod', Math.min(measured, 300), (object) => {
  const pod = snapshot.readPod(object)
  snapshot.assume(pod, schedule(pod, snapshot, profile, 0).node!)
})
