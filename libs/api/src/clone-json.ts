// A deep copy of a JSON value. Every write that changes an existing object copies it first, and structuredClone, which
// has to expect anything, takes about eight times as long for a pod.

/** Copies objects and arrays all the way down; `__proto__` stays a plain key. The value must hold JSON and no cycle. */
export function cloneJson<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items: unknown[] = value.slice()
    for (let i = 0; i < items.length; i++) {
      const item = items[i]
      if (typeof item === 'object' && item !== null) items[i] = cloneJson(item)
    }
    return items as Value
  }
  // The spread defines own keys, so that a later assignment to `__proto__` finds a plain one.
  const copy = { ...value } as Record<string, unknown>
  for (const key in copy) {
    const item = copy[key]
    if (typeof item === 'object' && item !== null) copy[key] = cloneJson(item)
  }
  return copy as Value
}
