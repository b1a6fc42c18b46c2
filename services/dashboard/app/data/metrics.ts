// The numbers that the control plane tells of itself, as Prometheus would read them.

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const linePattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/
const labelPattern = /(\w+)="((?:[^"\\]|\\.)*)"/g

export function parseMetrics(text: string): readonly Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = linePattern.exec(line) ?? []
    if (name === undefined) continue
    samples.push({ name, value: Number(value), labels: Object.fromEntries([...labels.matchAll(labelPattern)].map(([, key, one]) => [key!, one!])) })
  }
  return samples
}

export const sumOf = (samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number =>
  samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
