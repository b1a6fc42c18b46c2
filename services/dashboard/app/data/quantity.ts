// Amounts of resources as numbers, for bars and sums.
const factors: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 },
}

export function quantity(text: string | undefined): number {
  const [, number, unit = ''] = /^([+-]?[\d.]+(?:e[+-]?\d+)?)([a-zA-Z]*)$/.exec(text ?? '') ?? []
  return number === undefined ? 0 : Number(number) * (factors[unit] ?? 1)
}

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytesText(bytes: number): string {
  let [rest, unit] = [bytes, 0]
  while (rest >= 1_024 && unit < binary.length - 1) [rest, unit] = [rest / 1_024, unit + 1]
  return `${rest >= 100 ? Math.round(rest) : Number(rest.toFixed(1))} ${binary[unit]}`
}
