// Values that are a number or a percentage (`maxSurge: 25%`), as k8s.io/apimachinery/pkg/util/intstr reads them.

/** `25` for `25%`; undefined when it is no percentage. */
export const percentOf = (value: unknown): number | undefined => {
  if (typeof value !== 'string') return undefined
  const digits = /^([0-9]+)%$/.exec(value)
  return digits ? Number(digits[1]) : undefined
}

/** The number that a number or percentage of a total stands for; undefined when it is neither. */
export const scaledValue = (value: number | string, total: number, roundUp: boolean): number | undefined => {
  if (typeof value === 'number') return value
  const percent = percentOf(value)
  if (percent === undefined) return undefined
  const exact = (percent * total) / 100
  return roundUp ? Math.ceil(exact) : Math.floor(exact)
}
