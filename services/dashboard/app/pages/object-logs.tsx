// What containers print: of one pod, or of all pods of a workload, as it comes.
import { useEffect, useRef, useState } from 'react'
import { useVirtualizer } from '@tanstack/react-virtual'
import type { AnyObject } from '../data/actions.ts'
import { ask, askJson } from '../data/api.ts'
import { kubectlName } from '../data/kinds.ts'
import { linesOf } from '../data/lines.ts'
import { selectorQuery } from '../data/selectors.ts'
import { inNamespace, shellLine } from '../data/shell.ts'
import { CopyText } from '../parts/copy.tsx'
import { Empty } from '../parts/messages.tsx'
import type { TabProps } from './object.tsx'

interface Line {
  readonly pod: string
  readonly container: string
  readonly time: string
  readonly text: string
}

const linesMax = 20_000
const podsMax = 12
const tailLines = 500
const tellEveryMs = 200
const lineHeight = 19
const lookEveryMs = 5_000

interface Source {
  readonly pod: string
  readonly container: string
}

const sourcesOf = (pods: readonly AnyObject[]): readonly Source[] =>
  pods.flatMap(({ metadata, spec }) => [...(spec.initContainers ?? []), ...spec.containers].map((one: AnyObject) => ({ pod: metadata.name, container: one.name })))

const sameOr = (before: readonly Source[] | undefined, now: readonly Source[]): readonly Source[] => (JSON.stringify(before) === JSON.stringify(now) ? before! : now)

export function LogsTab({ kind, namespace, name, object }: TabProps) {
  const [sources, setSources] = useState<readonly Source[]>()
  const [chosen, setChosen] = useState('')
  const [filter, setFilter] = useState('')
  const [isPrevious, setPrevious] = useState(false)
  const selector = kind.resource === 'pods' ? '' : selectorOf(object)
  const { uid } = object.metadata
  // biome-ignore lint/correctness/useExhaustiveDependencies: sources are those of the object, however it changes
  useEffect(() => {
    if (kind.resource === 'pods') return setSources(sourcesOf([object]))
    let isWanted = true
    let timer: number | undefined
    // Pods come and go: theirs are the lines too.
    const look = async (): Promise<void> => {
      const found = selector === '' ? [] : await askJson(`/api/v1/namespaces/${namespace}/pods?limit=${podsMax}&labelSelector=${encodeURIComponent(selector)}`).then(({ items }) => items, () => undefined)
      if (!isWanted) return
      setSources((before) => (found ? sameOr(before, sourcesOf(found)) : (before ?? [])))
      timer = window.setTimeout(look, lookEveryMs)
    }
    void look()
    return () => {
      isWanted = false
      window.clearTimeout(timer)
    }
  }, [uid, selector])
  const wanted = (sources ?? []).filter(({ pod, container }) => chosen === '' || chosen === `${pod}/${container}`)
  const { lines, notes } = useLogs(namespace, wanted, isPrevious)
  const shown = filter === '' ? lines : lines.filter(({ text }) => text.toLowerCase().includes(filter.toLowerCase()))
  const download = (): void => {
    const url = URL.createObjectURL(new Blob([lines.map(({ time, pod, text }) => `${time} ${pod} ${text}\n`).join('')], { type: 'text/plain' }))
    const link = Object.assign(document.createElement('a'), { href: url, download: `${name}.log` })
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <>
      <div className="bar">
        <input data-filter type="search" aria-label="Search the lines" placeholder="search  /" value={filter} onChange={(event) => setFilter(event.target.value)} />
        <label className="compact">
          <span className="visually-hidden">Container</span>
          <select value={chosen} onChange={(event) => setChosen(event.target.value)}>
            <option value="">all containers</option>
            {sources?.map(({ pod, container }) => <option key={`${pod}/${container}`}>{`${pod}/${container}`}</option>)}
          </select>
        </label>
        <label className="check">
          <input type="checkbox" checked={isPrevious} onChange={(event) => setPrevious(event.target.checked)} /> before the restart
        </label>
        <span className="count">{filter ? `${shown.length} of ` : ''}{lines.length} lines</span>
        <button type="button" className="quiet-button" onClick={download} disabled={lines.length === 0}>Download</button>
        <span className="spacer" />
        <CopyText text={shellLine('kubectl', 'logs', kind.resource === 'pods' ? name : `${kubectlName(kind)}/${name}`, ...inNamespace(namespace), '--all-containers', '-f')} />
      </div>
      {notes.map((note) => <p key={note} className="notice">{note}</p>)}
      {shown.length === 0 ? <Empty>{lines.length > 0 ? 'No line has this text.' : 'Nothing has been printed yet. Lines come here as they are written.'}</Empty> : <Lines lines={shown} hasPods={new Set(wanted.map(({ pod }) => pod)).size > 1} filter={filter} />}
    </>
  )
}

/** Of a ReplicationController it is a map of labels. */
const selectorOf = ({ spec = {} }: AnyObject): string => {
  const { selector = {} } = spec
  return selectorQuery(selector.matchLabels || selector.matchExpressions ? selector : { matchLabels: selector })
}

function useLogs(namespace: string, sources: readonly Source[], previous: boolean): { readonly lines: readonly Line[]; readonly notes: readonly string[] } {
  const [lines, setLines] = useState<readonly Line[]>([])
  const [notes, setNotes] = useState<readonly string[]>([])
  const key = JSON.stringify([namespace, sources, previous])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key tells them
  useEffect(() => {
    const ending = new AbortController()
    let all: Line[] = []
    let timer: number | undefined
    setLines([])
    setNotes([])
    const tell = (): void => {
      timer = undefined
      all = all.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)).slice(-linesMax)
      setLines(all)
    }
    const read = async ({ pod, container }: Source): Promise<void> => {
      const query = new URLSearchParams({ container, timestamps: 'true', tailLines: String(tailLines), ...(previous ? { previous: 'true' } : { follow: 'true' }) })
      const response = await ask(`/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`, { signal: ending.signal })
      for await (const line of linesOf(response.body!)) {
        const space = line.indexOf(' ')
        all.push({ pod, container, time: line.slice(0, space), text: line.slice(space + 1) })
        timer ??= window.setTimeout(tell, tellEveryMs)
      }
    }
    for (const source of sources)
      read(source).catch((error: Error) => !ending.signal.aborted && setNotes((before) => [...before, `${source.pod}/${source.container}: ${error.message}`]))
    return () => {
      ending.abort()
      window.clearTimeout(timer)
    }
  }, [key])
  return { lines, notes }
}

function Lines({ lines, hasPods, filter }: { readonly lines: readonly Line[]; readonly hasPods: boolean; readonly filter: string }) {
  const scroller = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => scroller.current, estimateSize: () => lineHeight, overscan: 20 })
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines, and the end follows
  useEffect(() => {
    if (isAtEnd.current) virtual.scrollToIndex(lines.length - 1)
  }, [lines.length])
  const onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!
    isAtEnd.current = scrollTop + clientHeight > scrollHeight - 2 * lineHeight
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
    <div className="log" ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label="Lines">
      <div style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const { time, pod, text } = lines[index]!
          return (
            <div key={index} className="log-line" style={{ transform: `translateY(${start}px)` }}>
              <span className="quiet">{time.slice(11, 23)}</span>
              {hasPods && <span className="log-pod" title={pod}>{pod.slice(-11)}</span>}
              <Marked text={text} word={filter} />
            </div>
          )
        })}
      </div>
    </div>
  )
}

function Marked({ text, word }: { readonly text: string; readonly word: string }) {
  const at = word === '' ? -1 : text.toLowerCase().indexOf(word.toLowerCase())
  if (at < 0) return <span className="log-text">{text}</span>
  return (
    <span className="log-text">
      {text.slice(0, at)}
      <mark>{text.slice(at, at + word.length)}</mark>
      {text.slice(at + word.length)}
    </span>
  )
}
