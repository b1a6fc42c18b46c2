// Whether the rules that somebody holds cover others: nobody may hand out what they do not have.
import type { PolicyRule } from '@shiplog/api/generated/types/rbac-v1'

/** One verb on one thing. */
interface Atom {
  readonly verb: string
  readonly apiGroup?: string
  readonly resource?: string
  readonly name?: string
  readonly url?: string
}

function atomsOf({ verbs, resourceNames: names = [], nonResourceURLs = [], apiGroups = [], resources = [] }: PolicyRule): Atom[] {
  return verbs.flatMap((verb): Atom[] => [
    ...nonResourceURLs.map((url): Atom => ({ verb, url })),
    ...apiGroups.flatMap((apiGroup) =>
      resources.flatMap((resource): Atom[] =>
        names.length === 0 ? [{ verb, apiGroup, resource }] : names.map((name) => ({ verb, apiGroup, resource, name })),
      ),
    ),
  ])
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value))

function covers(rule: PolicyRule, { verb, apiGroup, resource, name, url }: Atom): boolean {
  if (!has(rule.verbs, verb)) return false
  if (url !== undefined) {
    return (rule.nonResourceURLs ?? []).some(
      (held) => held === url || (held.endsWith('*') && url.startsWith(held.slice(0, -1))),
    )
  }
  const subresource = resource!.includes('/') ? `*/${resource!.slice(resource!.indexOf('/') + 1)}` : undefined
  if (!has(rule.resources, resource!) && !(subresource && rule.resources?.includes(subresource))) return false
  const names = rule.resourceNames ?? []
  return has(rule.apiGroups, apiGroup!) && (names.length === 0 || (name !== undefined && names.includes(name)))
}

/** What the held rules do not cover, a line for each verb on each thing, as upstream prints it. */
export const uncovered = (held: readonly PolicyRule[], wanted: readonly PolicyRule[]): string[] =>
  wanted.flatMap(atomsOf).filter((atom) => !held.some((rule) => covers(rule, atom))).map(textOf)

const textOf = ({ verb, apiGroup, resource, name, url }: Atom): string => {
  const list = (value: string): string => `[${JSON.stringify(value)}]`
  if (url !== undefined) return `{NonResourceURLs:${list(url)}, Verbs:${list(verb)}}`
  const names = name === undefined ? '' : `, ResourceNames:${list(name)}`
  return `{APIGroups:${list(apiGroup!)}, Resources:${list(resource!)}${names}, Verbs:${list(verb)}}`
}
