// What is counted of priority and fairness, under upstream's names and labels.
import type { LevelState } from '@shiplog/domain/flow-control/fair-queues'
import type { MetricsRegistry } from '@shiplog/runtime/metrics'

interface Counted {
  waiting(by: number): void
  waited(seconds: number): void
  rejected(reason: string): void
  serving(width: number): void
  served(width: number): void
}

export interface FairnessMetrics {
  /** What is counted of one schema at one level; found once, it costs no look for labels. */
  of(schema: string, level: string): Counted
  limits(levels: Iterable<LevelState>): void
}

const labels = ['priority_level', 'flow_schema']
const waitBuckets = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]

export function createFairnessMetrics(registry: MetricsRegistry): FairnessMetrics {
  const name = (what: string): string => `apiserver_flowcontrol_${what}`
  const dispatched = registry.counter({ name: name('dispatched_requests_total'), help: 'Number of requests executed by API Priority and Fairness subsystem', labels })
  const rejected = registry.counter({ name: name('rejected_requests_total'), help: 'Number of requests rejected by API Priority and Fairness subsystem', labels: [...labels, 'reason'] })
  const inQueue = registry.gauge({ name: name('current_inqueue_requests'), help: 'Number of requests currently pending in queues of the API Priority and Fairness subsystem', labels })
  const executing = registry.gauge({ name: name('current_executing_requests'), help: 'Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and Fairness subsystem', labels })
  const seats = registry.gauge({ name: name('current_executing_seats'), help: 'Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage otherwise) requests in the API Priority and Fairness subsystem', labels })
  const wait = registry.histogram({ name: name('request_wait_duration_seconds'), help: 'Length of time a request spent waiting in its queue', labels: [...labels, 'execute'], buckets: waitBuckets })
  const nominal = registry.gauge({ name: name('nominal_limit_seats'), help: 'Nominal number of execution seats configured for each priority level', labels: ['priority_level'] })
  const known = new Map<string, Counted>()

  function made(schema: string, level: string): Counted {
    const series = [dispatched, inQueue, executing, seats].map((each) => each.with(level, schema))
    const [done, queued, running, seated] = series as [typeof series[0], ...typeof series]
    const waits = wait.with(level, schema, 'true')
    return {
      waiting: (by) => queued!.inc(by),
      waited: (seconds) => waits.observe(seconds),
      rejected: (reason) => rejected.with(level, schema, reason).inc(),
      serving(width) {
        done.inc()
        running!.inc()
        seated!.inc(width)
      },
      served(width) {
        running!.inc(-1)
        seated!.inc(-width)
      },
    }
  }

  return {
    of(schema, level) {
      const key = `${level}/${schema}`
      let counted = known.get(key)
      if (!counted) known.set(key, (counted = made(schema, level)))
      return counted
    },
    limits(levels) {
      for (const level of levels) nominal.with(level.name).set(level.nominal)
    },
  }
}
