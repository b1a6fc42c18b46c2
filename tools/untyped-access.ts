// Untyped field accesses: `object['spec']` reads a field that no type knows, so a misspelt one compiles. They are counted
// per workspace against a ceiling that only ever falls: whoever types an object lowers it. That `object.spec` is of a type is
// what the compiler sees to (noPropertyAccessFromIndexSignature). Pure.
import type { SourceFile } from './tidy.ts'
import { workspaceOf } from './tidy.ts'

/** The generic machinery: code for all kinds alike, which reads fields by the schema. Not counted. */
export const genericMachinery: readonly string[] = [
  'libs/api/src',
  'libs/cel/src',
  'libs/custom-resources/src',
  'libs/events/src',
  'libs/feed/src',
  'libs/domain/src/decider.ts',
  'libs/domain/src/status-metadata.ts',
  'libs/domain/src/write',
]

/** How many each workspace may have; none where it is not named. Lower a number with every change that lowers the count. */
export const untypedAccessCeilings: Readonly<Record<string, number>> = {
  'libs/domain': 33,
  'services/api-gateway': 79,
  'libs/control-plane': 36,
  'apps/cli': 9,
  'libs/node': 8,
  'libs/api-client': 5,
  'apps/all-in-one': 4,
  'libs/reconcile': 1,
  'services/scheduler': 1,
}

const accessPattern = /(?<=[\w)\]!.])\[(['"])[A-Za-z_]\w*\1\]/g
/** `EventRecord['type']` is a type, and `process.env['HOME']` is no object of the API. */
const indexedTypePattern = /\b(?:[A-Z]\w*|env)\[(['"])\w+\1\]/g

const isCounted = (path: string): boolean =>
  /^(libs|services|apps)\//.test(path) &&
  path.endsWith('.ts') &&
  !/\.(test|contract|bench)\.ts$/.test(path) &&
  !path.includes('/src/testing/') &&
  !path.startsWith('libs/testing/') &&
  !genericMachinery.some((place) => path === place || path.startsWith(`${place}/`))

/** How many untyped accesses a text has, comments left out. */
export function untypedAccesses(text: string): number {
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(indexedTypePattern, '')
  return code.match(accessPattern)?.length ?? 0
}

/** Untyped accesses per workspace, the most first. */
export function untypedAccessCounts(files: readonly SourceFile[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { path, text } of files) {
    if (!isCounted(path)) continue
    const count = untypedAccesses(text)
    if (count > 0) counts.set(workspaceOf(path), (counts.get(workspaceOf(path)) ?? 0) + count)
  }
  return new Map([...counts].sort(([, a], [, b]) => b - a))
}
