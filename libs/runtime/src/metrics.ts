// Metrics of a process: one registry, which its parts record into and /metrics shows. Names and labels are upstream's
// wherever upstream has them.
//
// prom-client writes them out (metrics/exposition.ts), loaded with the first scrape: loading it takes longer than a cluster
// may take to start, and an observation of its histograms 4 µs. So numbers are recorded here, in well under 1 µs.

export type MetricType = 'counter' | 'gauge' | 'histogram'

export interface MetricSample {
  /** With its suffix: `…_bucket`, `…_sum`, `…_count` of a histogram. */
  readonly name: string
  readonly type: MetricType
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly help?: string
}

export interface MetricOptions {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

export interface Counter {
  inc(by?: number): void
}

export interface Gauge extends Counter {
  set(value: number): void
}

export interface Histogram {
  observe(value: number): void
}

/** The series of a metric: one for each combination of label values, in the order of the labels. */
export interface Labelled<Series> {
  with(...values: readonly string[]): Series
}

export interface MetricsRegistry {
  /** Metrics are shared by name: whoever asks second gets the one that is there. */
  counter(options: MetricOptions): Labelled<Counter>
  gauge(options: MetricOptions): Labelled<Gauge>
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Labelled<Histogram>
  /** Samples that are made when they are asked for. */
  collect(source: () => Iterable<MetricSample>): Disposable
  samples(): MetricSample[]
  /** The text format of Prometheus. */
  text(): Promise<string>
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

/** `count` bounds, each `factor` times the one before. */
export const exponentialBuckets = (first: number, factor: number, count: number): number[] =>
  Array.from({ length: count }, (_, power) => first * factor ** power)

/** A gauge without fuss. */
export const gauge = (name: string, value: number, labels: Readonly<Record<string, string>> = {}): MetricSample => ({
  name,
  type: 'gauge',
  labels,
  value,
})

type Names = readonly string[]
type Numbers = readonly number[]

class NumberSeries implements Gauge {
  value = 0
  inc(by = 1): void {
    this.value += by
  }
  set(value: number): void {
    this.value = value
  }
}

class HistogramSeries implements Histogram {
  sum = 0
  count = 0
  readonly counts: number[]
  readonly #bounds: readonly number[]
  constructor(bounds: Numbers) {
    this.#bounds = bounds
    this.counts = bounds.map(() => 0)
  }
  observe(value: number): void {
    this.sum += value
    this.count++
    for (let i = 0; i < this.#bounds.length; i++) {
      if (value <= this.#bounds[i]!) {
        this.counts[i]!++
        return
      }
    }
  }
}

/** Where a series is found by its label values, one after the other: no key has to be made. */
interface Node<Series> {
  readonly next: Map<string, Node<Series>>
  series?: Series
}

class Metric<Series> implements Labelled<Series> {
  readonly #all: { readonly values: readonly string[]; readonly series: Series }[] = []
  readonly #root: Node<Series> = { next: new Map() }
  readonly #create: () => Series
  readonly #labels: readonly string[]
  constructor(labels: Names, create: () => Series) {
    this.#labels = labels
    this.#create = create
    // One without labels is there from the start, at 0.
    if (labels.length === 0) this.with()
  }
  with(...values: readonly string[]): Series {
    let node = this.#root
    for (const value of values) {
      let next = node.next.get(value)
      if (next === undefined) node.next.set(value, (next = { next: new Map() }))
      node = next
    }
    if (node.series === undefined) {
      if (values.length !== this.#labels.length)
        throw new Error(`${values.length} label values for ${this.#labels.length} labels`)
      node.series = this.#create()
      this.#all.push({ values, series: node.series })
    }
    return node.series
  }
  *all(): Generator<readonly [Readonly<Record<string, string>>, Series]> {
    for (const { values, series } of this.#all)
      yield [Object.fromEntries(this.#labels.map((label, i) => [label, values[i]!])), series]
  }
}

interface Family {
  readonly metric: Labelled<unknown>
  samples(): Iterable<MetricSample>
}

function numberFamily(type: 'counter' | 'gauge', { name, help, labels = [] }: MetricOptions): Family {
  const metric = new Metric(labels, () => new NumberSeries())
  return {
    metric,
    *samples() {
      for (const [of, { value }] of metric.all()) yield { name, type, help, labels: of, value }
    },
  }
}

function histogramFamily(
  { name, help, labels = [] }: MetricOptions,
  bounds: readonly number[],
): Family {
  const metric = new Metric(labels, () => new HistogramSeries(bounds))
  const common = { type: 'histogram', help } as const
  return {
    metric,
    *samples() {
      for (const [of, { counts, sum, count }] of metric.all()) {
        let below = 0
        for (const [i, bound] of bounds.entries()) {
          below += counts[i]!
          yield { ...common, name: `${name}_bucket`, labels: { ...of, le: String(bound) }, value: below }
        }
        yield { ...common, name: `${name}_bucket`, labels: { ...of, le: '+Inf' }, value: count }
        yield { ...common, name: `${name}_sum`, labels: of, value: sum }
        yield { ...common, name: `${name}_count`, labels: of, value: count }
      }
    },
  }
}

export function createMetricsRegistry(): MetricsRegistry {
  const families = new Map<string, Family>()
  const sources = new Set<() => Iterable<MetricSample>>()

  function family(name: string, create: () => Family): Labelled<unknown> {
    let found = families.get(name)
    if (found === undefined) {
      found = create()
      families.set(name, found)
    }
    return found.metric
  }

  const samples = (): MetricSample[] => [
    ...[...families.values()].flatMap((one) => [...one.samples()]),
    ...[...sources].flatMap((source) => [...source()]),
  ]

  return {
    counter: (options) => family(options.name, () => numberFamily('counter', options)) as Labelled<Counter>,
    gauge: (options) => family(options.name, () => numberFamily('gauge', options)) as Labelled<Gauge>,
    histogram: (options) =>
      family(options.name, () => histogramFamily(options, options.buckets)) as Labelled<Histogram>,
    collect(source) {
      sources.add(source)
      return { [Symbol.dispose]: () => void sources.delete(source) }
    },
    samples,
    async text() {
      const { expose } = await import('./metrics/exposition.ts')
      return await expose(samples())
    },
  }
}

/** What every process tells of itself, under Prometheus' usual names. */
export function processSamples(): MetricSample[] {
  const { user, system } = process.cpuUsage()
  const memory = process.memoryUsage()
  return [
    { name: 'process_cpu_seconds_total', type: 'counter', labels: {}, value: (user + system) / 1_000_000 },
    gauge('process_resident_memory_bytes', memory.rss),
    gauge('process_start_time_seconds', Math.round(performance.timeOrigin) / 1_000),
    gauge('nodejs_heap_size_used_bytes', memory.heapUsed),
    gauge('nodejs_heap_size_total_bytes', memory.heapTotal),
    gauge('nodejs_external_memory_bytes', memory.external),
  ]
}
