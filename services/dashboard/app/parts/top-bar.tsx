// Above every page: search, namespace, how times and colours are shown, who is signed in.
import { useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { askJson, signOut } from '../data/api.ts'
import { hrefOf, setQuery } from '../data/place.ts'
import { setTimeStyle, type TimeStyle, useTimeStyle } from '../data/time.ts'
import { applyTheme, type Theme, theme } from '../theme.ts'
import { Logo, MenuIcon, SearchIcon } from './icons.tsx'
import { Link } from './link.tsx'

interface Props {
  readonly onSearch: () => void
  readonly onMenu: () => void
  readonly onSignedOut: () => void
}

export function TopBar({ onSearch, onMenu, onSignedOut }: Props) {
  const { session } = useCluster()
  const times = useTimeStyle()
  const [colours, setColours] = useState<Theme>(theme())
  return (
    <header className="top-bar">
      <button type="button" className="icon-button menu-button" onClick={onMenu} aria-label="Navigation">
        <MenuIcon />
      </button>
      <Link href={hrefOf([])} className="brand">
        <Logo />
        <span>Shiplog</span>
      </Link>
      <NamespaceSelect />
      <button type="button" className="search-button" onClick={onSearch}>
        <SearchIcon /> <span>Go to …</span> <kbd>:</kbd>
      </button>
      <span className="spacer" />
      {session.readOnly && <span className="chip warn">read-only</span>}
      <label className="compact">
        <span className="visually-hidden">Times</span>
        <select value={times} onChange={(event) => setTimeStyle(event.target.value as TimeStyle)}>
          <option value="relative">ages</option>
          <option value="local">local</option>
          <option value="utc">UTC</option>
        </select>
      </label>
      <label className="compact">
        <span className="visually-hidden">Colours</span>
        <select
          value={colours}
          onChange={(event) => {
            applyTheme(event.target.value as Theme)
            setColours(event.target.value as Theme)
          }}
        >
          <option value="system">auto</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
      <span className="user" title={session.user.groups.join('\n')}>
        {session.user.name}
      </span>
      <button type="button" className="quiet-button" onClick={() => void signOut().finally(onSignedOut)}>
        Sign out
      </button>
    </header>
  )
}

const refreshMs = 15_000

function NamespaceSelect() {
  const { namespace, at } = useCluster()
  const [names, setNames] = useState<readonly string[]>()
  useEffect(() => {
    const load = (): void => {
      askJson('/api/v1/namespaces?limit=2000', { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' }).then(
        (list) => setNames(list.items.map((one: { metadata: { name: string } }) => one.metadata.name)),
        () => setNames(undefined),
      )
    }
    load()
    const timer = at ? undefined : window.setInterval(() => !document.hidden && load(), refreshMs)
    return () => window.clearInterval(timer)
  }, [at])
  const choose = (value: string): void => setQuery({ ns: value })
  if (!names)
    return (
      <label className="compact">
        <span className="visually-hidden">Namespace</span>
        <input placeholder="namespace" defaultValue={namespace} onBlur={(event) => choose(event.target.value.trim())} onKeyDown={(event) => event.key === 'Enter' && choose(event.currentTarget.value.trim())} />
      </label>
    )
  const list = namespace !== '' && !names.includes(namespace) ? [namespace, ...names] : names
  return (
    <label className="compact">
      <span className="visually-hidden">Namespace</span>
      <select className="namespace" value={namespace} onChange={(event) => choose(event.target.value)}>
        <option value="">All namespaces</option>
        {list.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}
