// The scheduler's metrics, under upstream's names.
import { exponentialBuckets, type MetricsRegistry } from '@shiplog/runtime/metrics'

export type AttemptResult = 'scheduled' | 'unschedulable' | 'error'

export interface SchedulerMetrics {
  attempt(result: AttemptResult, profile: string, seconds: number): void
  scheduled(attempts: number, sinceQueuedSeconds: number): void
  incoming(queue: string, event: string): void
  /** A binding that came to nothing through another replica's. */
  overtaken(): void
  eventDiscarded(): void
  /** Room is made for a pod. */
  preempting(victims: number): void
}

const attemptsLabelMax = 16

export function createSchedulerMetrics(registry: MetricsRegistry): SchedulerMetrics {
  const attempts = registry.counter({
    name: 'scheduler_schedule_attempts_total',
    help: "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.",
    labels: ['result', 'profile'],
  })
  const attemptSeconds = registry.histogram({
    name: 'scheduler_scheduling_attempt_duration_seconds',
    help: 'Scheduling attempt latency in seconds (scheduling algorithm + binding)',
    labels: ['result', 'profile'],
    buckets: exponentialBuckets(0.001, 2, 15),
  })
  const attemptsOfPod = registry.histogram({
    name: 'scheduler_pod_scheduling_attempts',
    help: 'Number of attempts to successfully schedule a pod.',
    buckets: exponentialBuckets(1, 2, 5),
  })
  const sliSeconds = registry.histogram({
    name: 'scheduler_pod_scheduling_sli_duration_seconds',
    help: 'E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might involve multiple scheduling attempts.',
    labels: ['attempts'],
    buckets: exponentialBuckets(0.01, 2, 20),
  })
  const incoming = registry.counter({
    name: 'scheduler_queue_incoming_pods_total',
    help: 'Number of pods added to scheduling queues by event and queue type.',
    labels: ['queue', 'event'],
  })
  const overtaken = registry.counter({
    name: 'shiplog_scheduler_overtaken_bindings_total',
    help: 'Bindings that another replica overtook.',
  })
  const discarded = registry.counter({
    name: 'scheduler_event_objects_discarded_total',
    help: 'Event objects dropped because too many waited.',
  })
  const preemptions = registry.counter({
    name: 'scheduler_preemption_attempts_total',
    help: 'Total preemption attempts in the cluster till now',
  })
  const victimsOfPreemption = registry.histogram({
    name: 'scheduler_preemption_victims',
    help: 'Number of selected preemption victims',
    buckets: exponentialBuckets(1, 2, 7),
  })
  return {
    preempting(victims) {
      preemptions.with().inc()
      victimsOfPreemption.with().observe(victims)
    },
    attempt(result, profile, seconds) {
      attempts.with(result, profile).inc()
      attemptSeconds.with(result, profile).observe(seconds)
    },
    scheduled(count, seconds) {
      attemptsOfPod.with().observe(count)
      sliSeconds.with(String(Math.min(count, attemptsLabelMax))).observe(seconds)
    },
    incoming: (queue, event) => incoming.with(queue, event).inc(),
    overtaken: () => overtaken.with().inc(),
    eventDiscarded: () => discarded.with().inc(),
  }
}
