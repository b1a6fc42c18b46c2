// What is different in the whole cluster, or a namespace, between two moments: added, changed, removed, kind by kind.
import { useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { askJson, asOf } from '../data/api.ts'
import { type Kind, keyOf, listPath } from '../data/kinds.ts'
import { objectHref, setQuery } from '../data/place.ts'
import { inNamespace, shellLine } from '../data/shell.ts'
import { sequenceAt, useTimeline } from '../data/timeline.ts'
import { CopyText } from '../parts/copy.tsx'
import { Link } from '../parts/link.tsx'
import { Empty, Loading } from '../parts/messages.tsx'
import type { Change } from '../data/arrange.ts'

interface Difference {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
  readonly change: Change
}

/** They age, so the log keeps the last of each. */
const aging = new Set(['events', 'events.events.k8s.io', 'leases.coordination.k8s.io', 'componentstatuses'])
const metadataType = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
const ages = [['1 minute', 60_000], ['10 minutes', 600_000], ['1 hour', 3_600_000], ['1 day', 86_400_000]] as const
const shownMax = 1_000

export function ChangesPage() {
  const { kinds, namespace, at, versus } = useCluster()
  const timeline = useTimeline()
  const [found, setFound] = useState<readonly Difference[]>()
  const [skipped, setSkipped] = useState(0)
  const newest = timeline?.newest
  useEffect(() => {
    if (!versus) return setFound(undefined)
    let isWanted = true
    const all = kinds.filter((kind) => !aging.has(keyOf(kind)) && kind.verbs.includes('watch') && (!namespace || kind.namespaced))
    Promise.all(all.map((kind) => differencesOf(kind, namespace, versus, at).catch(() => undefined))).then((lists) => {
      if (!isWanted) return
      setFound(lists.flatMap((list) => list ?? []))
      setSkipped(lists.filter((list) => !list).length)
    })
    return () => void (isWanted = false)
  }, [kinds, namespace, at, versus])
  const until = at ? `#${at}` : 'now'
  return (
    <section className="page">
      <header className="page-head">
        <h1>Changes</h1>
        {versus && <span className="count">between #{versus} and {until}</span>}
        <span className="spacer" />
        {timeline && ages.map(([title, ms]) => (
          <button key={title} type="button" onClick={() => setQuery({ vs: String(Math.max(timeline.oldest, sequenceAt(timeline, timeline.marks.at(-1)!.ms - ms))), at: undefined })}>
            last {title}
          </button>
        ))}
        <button type="button" disabled={!timeline} onClick={() => setQuery({ vs: String(timeline!.oldest), at: undefined })}>all</button>
      </header>
      {versus && <CopyText text={shellLine('npx', 'shiplog', 'diff', versus, String(at ?? newest ?? 'now'), ...inNamespace(namespace))} />}
      {!versus && <Empty>What has changed since when? Choose above, or hold a moment with “Compare” below and move to another.</Empty>}
      {versus && !found && <Loading what="both moments" />}
      {found && found.length === 0 && <Empty>Nothing is different.</Empty>}
      {found && found.length > 0 && (
        <table className="plain changes">
          <thead>
            <tr><th>Change</th><th>Kind</th><th>Namespace</th><th>Name</th><th /></tr>
          </thead>
          <tbody>
            {found.slice(0, shownMax).map(({ kind, namespace: where, name, change }) => (
              <tr key={`${keyOf(kind)}/${where}/${name}`}>
                <td><span className={`change ${change}`}>{change}</span></td>
                <td>{kind.kind}</td>
                <td>{where}</td>
                <td><Link href={objectHref({ ...kind, namespace: where, name }, change === 'removed' ? { at: versus, vs: undefined } : {})}>{name}</Link></td>
                <td>{change === 'changed' && <Link href={objectHref({ ...kind, namespace: where, name }, { tab: 'yaml' })}>diff</Link>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found && found.length > shownMax && <p className="quiet">and {found.length - shownMax} more: choose a namespace</p>}
      {skipped > 0 && <p className="quiet">{skipped} kinds are left out: they cannot be listed here, or not at that moment.</p>}
    </section>
  )
}

interface Listed {
  readonly items: readonly { readonly metadata: { readonly uid: string; readonly name: string; readonly namespace?: string; readonly resourceVersion: string } }[]
}

async function differencesOf(kind: Kind, namespace: string, versus: string, at: string | undefined): Promise<readonly Difference[]> {
  const path = listPath(kind, namespace)
  const [before, after] = await Promise.all([versus, at].map((moment) => askJson<Listed>(asOf(moment, path), { accept: metadataType })))
  const keyed = ({ items }: Listed) => new Map(items.map(({ metadata }) => [`${metadata.namespace ?? ''}\u0000${metadata.name}`, metadata]))
  const [old, now] = [keyed(before!), keyed(after!)]
  const found: Difference[] = []
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(key), now.get(key)]
    const change = !was ? 'added' : !is ? 'removed' : was.uid !== is.uid ? 'added' : was.resourceVersion !== is.resourceVersion ? 'changed' : undefined
    const { name, namespace: where = '' } = (is ?? was)!
    if (change) found.push({ kind, namespace: where, name, change })
  }
  return found
}
