// The left navigation: every kind by its group, custom ones by theirs.
import { useMemo } from 'react'
import { useCluster } from '../cluster-state.ts'
import { type Kind, keyOf, navGroups, titleOf } from '../data/kinds.ts'
import { hrefOf, listHref, usePlace } from '../data/place.ts'
import { useListable } from '../data/rights.ts'
import { Link } from './link.tsx'

/** Kinds of the API itself that stand in no group above. */
const builtInGroup = /(^|\.)(k8s\.io|apps|batch|autoscaling|policy)$/

export function Nav() {
  const { kinds, namespace } = useCluster()
  const { path } = usePlace()
  const isListable = useListable(namespace)
  const groups = useMemo(() => groupKinds(kinds), [kinds])
  const [page = '', group = '', , resource = ''] = path
  const isHere = (kind: Kind): boolean => kind.resource === resource && (kind.group || 'core') === group
  return (
    <nav className="nav" aria-label="Kinds of resources">
      <ul className="nav-top">
        {[['', 'Cluster'], ['map', 'Map'], ['changes', 'Changes'], ['sql', 'SQL']].map(([to, title]) => (
          <li key={to}>
            <Link href={hrefOf(to ? [to] : [])} current={page === to}>
              {title}
            </Link>
          </li>
        ))}
      </ul>
      {groups.map(({ title, entries }) => (
        <section key={title}>
          <h2>{title}</h2>
          <ul>
            {entries.map((kind) => (
              <li key={keyOf(kind)}>
                <Link
                  href={listHref(kind)}
                  current={isHere(kind)}
                  {...(isListable(kind) ? { title: keyOf(kind) } : { className: 'dim', title: `You may not list ${keyOf(kind)} here` })}
                >
                  {titleOf(kind)}
                </Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  )
}

function groupKinds(kinds: readonly Kind[]): { readonly title: string; readonly entries: readonly Kind[] }[] {
  const byKey = new Map(kinds.map((kind) => [keyOf(kind), kind]))
  const placed = new Set<string>()
  const groups = navGroups.map(({ title, entries }) => {
    for (const key of entries) placed.add(key)
    return { title, entries: entries.flatMap((key) => byKey.get(key) ?? []) }
  })
  const rest = kinds.filter((kind) => !placed.has(keyOf(kind)) && keyOf(kind) !== 'events.events.k8s.io')
  const custom = new Map<string, Kind[]>()
  const more: Kind[] = []
  for (const kind of rest) {
    if (kind.group === '' || builtInGroup.test(kind.group)) more.push(kind)
    else custom.set(kind.group, [...(custom.get(kind.group) ?? []), kind])
  }
  const byName = (a: Kind, b: Kind): number => titleOf(a).localeCompare(titleOf(b))
  return [
    ...groups,
    ...[...custom].sort(([a], [b]) => a.localeCompare(b)).map(([title, entries]) => ({ title, entries: entries.sort(byName) })),
    { title: 'More', entries: more.sort(byName) },
  ]
}
