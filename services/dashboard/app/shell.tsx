// The frame around every page: navigation, namespace, search, who is signed in, and the time bar.
import { type ReactNode, useEffect, useMemo, useState } from 'react'
import type { SessionInfo } from './data/api.ts'
import { discoverKinds, type Kind } from './data/kinds.ts'
import { groupOfToken, setQuery, usePlace } from './data/place.ts'
import { ClusterContext, type ClusterState } from './cluster-state.ts'
import { ChangesPage } from './pages/changes.tsx'
import { ListPage } from './pages/list.tsx'
import { MapPage } from './pages/map.tsx'
import { ObjectPage } from './pages/object.tsx'
import { Overview } from './pages/overview.tsx'
import { SqlPage } from './pages/sql.tsx'
import { ErrorBoundary } from './parts/error-boundary.tsx'
import { Failure, Loading } from './parts/messages.tsx'
import { Nav } from './parts/nav.tsx'
import { Palette } from './parts/palette.tsx'
import { TimeBar } from './parts/time-bar.tsx'
import { TopBar } from './parts/top-bar.tsx'
import { Toasts } from './parts/toasts.tsx'
import { useShortcuts } from './parts/shortcuts.tsx'

interface Props {
  readonly session: SessionInfo
  readonly onSignedOut: () => void
}

export function Shell({ session, onSignedOut }: Props) {
  const [kinds, setKinds] = useState<readonly Kind[]>()
  const [failure, setFailure] = useState<Error>()
  const [isPaletteOpen, setPaletteOpen] = useState(false)
  const [isNavOpen, setNavOpen] = useState(false)
  const { path, query } = usePlace()
  useEffect(() => {
    discoverKinds().then(setKinds, setFailure)
  }, [])
  const at = query.get('at') ?? undefined
  const state = useMemo<ClusterState>(
    () => ({ session, kinds: kinds ?? [], at, versus: query.get('vs') ?? undefined, namespace: query.get('ns') ?? '' }),
    [session, kinds, at, query],
  )
  useShortcuts(() => setPaletteOpen(true))
  const where = path.join('/')
  // biome-ignore lint/correctness/useExhaustiveDependencies: closed when the page changes
  useEffect(() => setNavOpen(false), [where])
  if (failure) return <main className="gate"><Failure error={failure} what="What this cluster serves is not known" /></main>
  if (!kinds) return <main className="gate"><Loading what="the cluster" /></main>
  return (
    <ClusterContext value={state}>
      <div className={`shell${at ? ' in-past' : ''}${isNavOpen ? ' nav-open' : ''}`}>
        <a className="skip" href="#page">Skip to the page</a>
        <TopBar onSearch={() => setPaletteOpen(true)} onMenu={() => setNavOpen(!isNavOpen)} onSignedOut={onSignedOut} />
        <Nav />
        <main id="page" tabIndex={-1}>
          <ErrorBoundary place={where}>
            <Page path={path} kinds={kinds} />
          </ErrorBoundary>
        </main>
        <TimeBar />
        {isPaletteOpen && <Palette onClose={() => setPaletteOpen(false)} />}
        <Toasts />
      </div>
    </ClusterContext>
  )
}

function Page({ path, kinds }: { readonly path: readonly string[]; readonly kinds: readonly Kind[] }): ReactNode {
  const [page = '', group = '', version = '', resource = '', namespace = '', name = ''] = path
  const kind = kinds.find((one) => one.group === groupOfToken(group) && one.version === version && one.resource === resource)
  if (page === '') return <Overview />
  if (page === 'map') return <MapPage />
  if (page === 'sql') return <SqlPage />
  if (page === 'changes') return <ChangesPage />
  if (page === 'list' && kind) return <ListPage key={`${group}/${resource}`} kind={kind} />
  if (page === 'object' && kind && name)
    return <ObjectPage key={path.join('/')} kind={kind} namespace={namespace === '_' ? '' : namespace} name={name} />
  return (
    <section className="page">
      <h1>Nothing here</h1>
      <p>
        The cluster serves no such kind now. It may have been there before:{' '}
        <button type="button" className="link" onClick={() => setQuery({ at: undefined })}>go to the present</button>, or press{' '}
        <kbd>:</kbd> to look for something else.
      </p>
    </section>
  )
}
