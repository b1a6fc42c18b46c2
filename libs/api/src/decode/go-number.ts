// Numbers as Go prints them.

/** Powers of ten that are written as such. */
const exponentFrom = 6

/** `%v` of a float64: the fewest digits that tell it from its neighbours, `1e+06` from a million on. */
export const goFloat = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (Object.is(value, -0)) return '-0'
  if (value === 0) return '0'
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power < -4 || power >= exponentFrom) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
  return String(value)
}
