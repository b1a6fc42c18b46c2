// Names of fields as expressions write them: `a-b` is `a__dash__b`, `namespace` is `__namespace__`.

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)

const written: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
}

export const isReserved = (name: string): boolean => reserved.has(name)

/** Undefined for a name that no expression can write. */
export const escapeName = (name: string): string | undefined => {
  if (name === '' || /^[0-9]/.test(name)) return undefined
  if (reserved.has(name)) return `__${name}__`
  return /^[a-zA-Z0-9_./-]+$/.test(name) ? name.replace(/__|[-./]/g, (part) => written[part]!) : undefined
}
