// Tidy: reads the imports and the text of the source tree and tells what breaks the rules of `tidy-rules.ts`, each
// finding with the way to mend it. A pure function of paths and texts, so that every rule can be shown to bite.
import {
  ambientBans,
  ambientFolders,
  developmentPackages,
  impureExceptions,
  layers,
  pureFolders,
  pureNodeModules,
  testingWorkspace,
  textBans,
  vendorFolders,
} from './tidy-rules.ts'

export interface SourceFile {
  /** From the root of the checkout: `libs/api/src/status.ts`. */
  readonly path: string
  readonly text: string
}

/** One sentence: where, what, and the fix. */
export type Finding = string

/** Everything that breaks a rule. `nameOf` maps the package names of workspaces to their folders. */
export function tidy(files: readonly SourceFile[], nameOf: ReadonlyMap<string, string>): readonly Finding[] {
  return files.flatMap((file) => [
    ...namingFindings(file),
    ...textFindings(file),
    ...importsOf(file.text).flatMap((specifier) => importFindings(file, specifier, nameOf)),
  ])
}

const importPattern =
  /(?:^|[\s;}])(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|(?:^|[^.\w])import\s*\(?\s*['"]([^'"]+)['"]/g

/** The module specifiers that a file imports, statically or not. */
export function importsOf(text: string): readonly string[] {
  const code = withoutComments(text)
  return [...code.matchAll(importPattern)].map((match) => match[1] ?? match[2]!)
}

/** Drops line comments that stand alone and block comments; those in strings do not matter to the rules. */
const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')

/** Tests, contract suites, and what only they use: a folder named `testing` inside the sources of a package. */
const isTest = (path: string): boolean => /\.(test|contract|bench)\.ts$/.test(path) || /\/src\/(.+\/)?testing\//.test(path)

const isBelow = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)

/** `libs/api/src/x.ts` → `libs/api`; `tools/tidy.ts` → `tools`. */
export function workspaceOf(path: string): string {
  const [first, second] = path.split('/') as [string, string]
  return ['libs', 'services', 'apps'].includes(first) ? `${first}/${second}` : first
}

const matches = (workspace: string, pattern: string): boolean =>
  pattern.endsWith('/*') ? isBelow(workspace, pattern.slice(0, -2)) : workspace === pattern

function allowedFor(workspace: string): readonly string[] | undefined {
  const pattern =
    Object.keys(layers).find((key) => key === workspace) ?? Object.keys(layers).find((key) => matches(workspace, key))
  return pattern === undefined ? undefined : layers[pattern]
}

function importFindings(file: SourceFile, specifier: string, nameOf: ReadonlyMap<string, string>): readonly Finding[] {
  if (specifier.startsWith('.')) return relativeFindings(file, specifier)
  const parts = specifier.split('/')
  const packageName = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
  const target = nameOf.get(packageName)
  if (target !== undefined) return arrowFindings(file, target, specifier)
  return [...vendorFindings(file, specifier, packageName), ...pureFindings(file, specifier)]
}

function relativeFindings(file: SourceFile, specifier: string): readonly Finding[] {
  const findings: Finding[] = []
  if (!/\.(ts|mjs|json)$/.test(specifier)) {
    findings.push(`${file.path}: '${specifier}' has no extension; write '${specifier}.ts'`)
  }
  const target = new URL(specifier, `file:///${file.path}`).pathname.slice(1)
  const workspace = workspaceOf(file.path)
  const isSetUp = isTest(file.path) && workspaceOf(target) === 'tools'
  if (workspaceOf(target) !== workspace && !isSetUp && !(allowedFor(workspace) ?? []).includes(workspaceOf(target))) {
    findings.push(
      `${file.path}: '${specifier}' reaches into ${workspaceOf(target)}; import it by its package name, if the layers allow`,
    )
  }
  return findings
}

function arrowFindings(file: SourceFile, target: string, specifier: string): readonly Finding[] {
  const workspace = workspaceOf(file.path)
  if (target === workspace) {
    return [`${file.path}: '${specifier}' is this package itself; use a relative path`]
  }
  if (isTest(file.path) && matches(target, 'libs/*')) return []
  const allowed = allowedFor(workspace)
  if (allowed === undefined) {
    return [`${file.path}: ${workspace} has no layer; give it one in tools/tidy-rules.ts`]
  }
  if (target === testingWorkspace && !allowed.includes('libs/testing') && !ambientFolders.includes(workspace)) {
    return [`${file.path}: ${testingWorkspace} is for tests; move what the product needs into a library`]
  }
  if (allowed.some((pattern) => matches(target, pattern))) return []
  return [
    `${file.path}: ${workspace} may not import ${target} ('${specifier}'): it may import ${allowed.join(', ') || 'nothing'}. ` +
      `Move the shared part down, or hand it in as a port`,
  ]
}

function vendorFindings(file: SourceFile, specifier: string, packageName: string): readonly Finding[] {
  const folders = vendorFolders[packageName]
  if (folders) {
    if (isTest(file.path) || folders.some((folder) => isBelow(file.path, folder))) return []
    return [
      `${file.path}: ${packageName} may only be imported in ${folders.join(', ')}; use the port that stands before it`,
    ]
  }
  if (packageName.startsWith('node:')) return []
  if (developmentPackages.includes(packageName)) {
    const workspace = workspaceOf(file.path)
    if (isTest(file.path) || ambientFolders.includes(workspace) || file.path === 'vitest.config.ts') return []
    return [`${file.path}: ${packageName} is for tests and tools; the product does not ship it`]
  }
  if (isTest(file.path)) return []
  return [`${file.path}: '${specifier}' has no folder; name the one that may import it in tools/tidy-rules.ts`]
}

function pureFindings(file: SourceFile, specifier: string): readonly Finding[] {
  if (!specifier.startsWith('node:') || pureNodeModules.includes(specifier) || isTest(file.path)) return []
  if (!pureFolders.some((folder) => isBelow(file.path, folder))) return []
  if (Object.keys(impureExceptions).some((place) => isBelow(file.path, place))) return []
  return [`${file.path}: ${specifier} does I/O, and this folder is pure; take what you need as an argument or a port`]
}

function textFindings(file: SourceFile): readonly Finding[] {
  const findings: Finding[] = []
  for (const ban of textBans) {
    if (ban.pattern.test(file.text)) findings.push(`${file.path}: ${ban.what}; use ${ban.fix}`)
  }
  if (isTest(file.path)) return findings
  const code = withoutComments(file.text)
  for (const ban of ambientBans) {
    if ((ban.only ?? ambientFolders).some((place) => isBelow(file.path, place))) continue
    if (ban.pattern.test(code)) findings.push(`${file.path}: ${ban.what}; use ${ban.fix}`)
  }
  return findings
}

function namingFindings(file: SourceFile): readonly Finding[] {
  const name = file.path.split('/').at(-1)!
  const findings: Finding[] = []
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*\.(ts|mjs)$/.test(name)) {
    findings.push(`${file.path}: file names are kebab-case`)
  }
  if (name === 'index.ts') findings.push(`${file.path}: no barrels; import the file that holds what you need`)
  if (!isTest(file.path) && !/^(#!.*\n)?\/[/*]/.test(file.text)) {
    findings.push(`${file.path}: begin with a comment that says why the file exists`)
  }
  return findings
}
