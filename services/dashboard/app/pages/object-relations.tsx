// What belongs to an object: who owns it, what it owns, what it selects and mounts, and who selects it.
import { useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { objectHref } from '../data/place.ts'
import { type Neighbour, neighboursOf } from '../data/relations.ts'
import { Link } from '../parts/link.tsx'
import { Empty, Failure, Loading } from '../parts/messages.tsx'
import { healthOf, type TabProps } from './object.tsx'

export function RelationsTab({ kind, object }: TabProps) {
  const { kinds, at } = useCluster()
  const [neighbours, setNeighbours] = useState<readonly Neighbour[]>()
  const [failure, setFailure] = useState<Error>()
  const { uid, resourceVersion } = object.metadata
  // biome-ignore lint/correctness/useExhaustiveDependencies: of this version of the object
  useEffect(() => {
    neighboursOf(kinds, kind, object, at).then(setNeighbours, setFailure)
  }, [uid, resourceVersion, at])
  if (failure) return <Failure error={failure} what="What belongs to it cannot be told" />
  if (!neighbours) return <Loading what="what belongs to it" />
  if (neighbours.length === 0) return <Empty>Nothing owns it, and it owns, selects and mounts nothing.</Empty>
  return (
    <div className="cards">
      {[...Map.groupBy(neighbours, ({ how }) => how)].map(([how, some]) => (
        <section className="card" key={how}>
          <h2>{how}</h2>
          <ul className="relations">
            {some.map(({ kind: other, object: one }) => (
              <li key={`${other.resource}/${one.metadata.name}`}>
                <span className="quiet">{other.kind}</span>{' '}
                <Link href={objectHref({ ...other, namespace: one.metadata.namespace ?? '', name: one.metadata.name })}>{one.metadata.name}</Link>{' '}
                {one.status && <span className={`status ${healthOf(one).tone}`}>{healthOf(one).text}</span>}
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  )
}
