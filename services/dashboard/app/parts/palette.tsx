// The command palette: a kind, a page, a namespace, or an object by its name, from the keyboard.
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { type ClusterState, useCluster } from '../cluster-state.ts'
import { askJson } from '../data/api.ts'
import { keyOf, titleOf } from '../data/kinds.ts'
import { go, hrefOf, listHref, objectHref } from '../data/place.ts'

interface Goal {
  readonly title: string
  readonly what: string
  readonly href: string
}

const goalsMax = 40
/** Kinds whose objects are looked for by name. */
const searched = ['pods', 'deployments.apps', 'services', 'nodes', 'namespaces', 'configmaps']

export function Palette({ onClose }: { readonly onClose: () => void }) {
  const state = useCluster()
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const objects = useObjects(state, text)
  const goals = [...goalsOf(state, text), ...objects].slice(0, goalsMax)
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null
    dialog.current?.showModal()
    return () => before?.focus()
  }, [])
  useEffect(() => document.getElementById(`goal-${chosen}`)?.scrollIntoView({ block: 'nearest' }), [chosen])
  const open = (goal: Goal | undefined): void => {
    if (!goal) return
    onClose()
    go(goal.href)
  }
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setChosen(Math.min(chosen + 1, goals.length - 1))
    else if (event.key === 'ArrowUp') setChosen(Math.max(chosen - 1, 0))
    else if (event.key === 'Enter') open(goals[chosen])
    else return
    event.preventDefault()
  }
  return (
    <dialog ref={dialog} className="palette" onClose={onClose} aria-label="Go to">
      <input
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls="goals"
        aria-activedescendant={goals[chosen] ? `goal-${chosen}` : undefined}
        aria-label="Kind, page, namespace or name"
        placeholder="pods, deploy, a namespace, a name …"
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setChosen(0)
        }}
        onKeyDown={onKey}
      />
      <div className="goals" id="goals" role="listbox" aria-label="Where to">
        {goals.map((goal, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the field's
          <div key={goal.href} id={`goal-${index}`} role="option" aria-selected={index === chosen} onClick={() => open(goal)}>
            <span>{goal.title}</span>
            <span className="quiet">{goal.what}</span>
          </div>
        ))}
      </div>
      {goals.length === 0 && <p className="empty">Nothing is called so.</p>}
      <p className="hint">
        <kbd>↑</kbd> <kbd>↓</kbd> <kbd>Enter</kbd> · elsewhere <kbd>/</kbd> filters, <kbd>[</kbd> <kbd>]</kbd> step through time
      </p>
    </dialog>
  )
}

function goalsOf({ kinds, namespace }: ClusterState, text: string): Goal[] {
  const wanted = text.trim().toLowerCase().replace(/^:/, '')
  const pages: Goal[] = [
    ['Cluster', []],
    ['Map', ['map']],
    ['Changes', ['changes']],
    ['SQL', ['sql']],
  ].map(([title, path]) => ({ title: title as string, what: 'page', href: hrefOf(path as string[]) }))
  const lists = kinds.map((kind) => ({
    ...{ title: titleOf(kind), what: keyOf(kind), href: listHref(kind) },
    names: [kind.resource, kind.kind.toLowerCase(), titleOf(kind).toLowerCase(), keyOf(kind), ...kind.shortNames],
  }))
  const rank = (names: readonly string[]): number => {
    if (wanted === '' || names.some((name) => name === wanted)) return 0
    if (names.some((name) => name.startsWith(wanted))) return 1
    return names.some((name) => name.includes(wanted)) ? 2 : 9
  }
  const all = [
    ...pages.map((goal) => ({ goal, rank: rank([goal.title.toLowerCase()]) })),
    ...lists.map(({ names, ...goal }) => ({ goal, rank: rank(names) })),
    ...(namespace ? [{ goal: { title: 'All namespaces', what: 'namespace', href: `${location.pathname}` }, rank: rank(['all namespaces', 'all']) }] : []),
  ]
  return all.filter((one) => one.rank < 9).sort((a, b) => a.rank - b.rank).map(({ goal }) => goal)
}

const waitMs = 200

function useObjects({ kinds, namespace, at }: ClusterState, text: string): readonly Goal[] {
  const [found, setFound] = useState<readonly Goal[]>([])
  useEffect(() => {
    const wanted = text.trim().toLowerCase()
    setFound([])
    if (wanted.length < 3 || at) return
    const ending = new AbortController()
    const timer = window.setTimeout(async () => {
      for (const key of searched) {
        const kind = kinds.find((one) => keyOf(one) === key)
        if (!kind) continue
        const where = kind.namespaced && namespace ? `/namespaces/${namespace}` : ''
        const path = `${kind.group === '' ? '/api/v1' : `/apis/${kind.group}/${kind.version}`}${where}/${kind.resource}?limit=2000`
        const list = await askJson(path, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', signal: ending.signal }).catch(() => undefined)
        if (ending.signal.aborted) return
        const hits = (list?.items ?? []).filter(({ metadata }: { metadata: { name: string } }) => metadata.name.includes(wanted))
        setFound((before) => [
          ...before,
          ...hits.slice(0, 10).map(({ metadata }: { metadata: { name: string; namespace?: string } }) => ({
            title: metadata.name,
            what: `${kind.kind}${metadata.namespace ? ` in ${metadata.namespace}` : ''}`,
            href: objectHref({ ...kind, namespace: metadata.namespace ?? '', name: metadata.name }),
          })),
        ])
      }
    }, waitMs)
    return () => {
      ending.abort()
      window.clearTimeout(timer)
    }
  }, [text, kinds, namespace, at])
  return found
}
