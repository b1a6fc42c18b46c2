// Metrics as values, and their text for Prometheus. Names are upstream's wherever upstream has one.

export interface MetricSample {
  /** With its suffix: `…_bucket`, `…_sum`, `…_count` of a histogram. */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A gauge without fuss. */
export const gauge = (name: string, value: number, labels: Readonly<Record<string, string>> = {}): MetricSample => ({
  name,
  type: 'gauge',
  labels,
  value,
})

const familyOf = ({ name, type }: MetricSample): string =>
  type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name

const quoted = (value: string): string =>
  value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))

/** The text format 0.0.4: samples of one family together, each family with its type. */
export function metricsText(samples: Iterable<MetricSample>): string {
  const families = new Map<string, { readonly type: string; readonly lines: string[] }>()
  for (const sample of samples) {
    const name = familyOf(sample)
    let family = families.get(name)
    if (family === undefined) {
      family = { type: sample.type, lines: [] }
      families.set(name, family)
    }
    const labels = Object.entries(sample.labels).map(([label, value]) => `${label}="${quoted(value)}"`)
    family.lines.push(`${sample.name}${labels.length > 0 ? `{${labels.join(',')}}` : ''} ${sample.value}`)
  }
  return [...families].map(([name, { type, lines }]) => `# TYPE ${name} ${type}\n${lines.join('\n')}\n`).join('')
}

/** What every process tells of itself, under Prometheus' usual names. */
export function processSamples(): MetricSample[] {
  const { user, system } = process.cpuUsage()
  return [
    { name: 'process_cpu_seconds_total', type: 'counter', labels: {}, value: (user + system) / 1_000_000 },
    gauge('process_resident_memory_bytes', process.memoryUsage.rss()),
    gauge('process_start_time_seconds', Math.round(performance.timeOrigin) / 1_000),
  ]
}
