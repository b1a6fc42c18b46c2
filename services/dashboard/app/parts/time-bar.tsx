// Below every page: the whole life of the cluster as a strip. Bars are high where much changed. Dragged to the left, every page
// is as it was then; `vs` holds a second moment, and lists and pages show what is different.
import { type PointerEvent as ReactPointerEvent, useEffect, useMemo, useRef, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { setQuery } from '../data/place.ts'
import { clockText, durationText, useNow, useTimeStyle } from '../data/time.ts'
import { sequenceAt, timeOf, type Timeline, useMomentMs, useTimeline } from '../data/timeline.ts'
import { BackIcon, CompareIcon, ForwardIcon, PauseIcon, PlayIcon } from './icons.tsx'
import { isTyping } from './shortcuts.tsx'

const bins = 160
const dragEveryMs = 120
const playEveryMs = 500
const windows = { all: Number.POSITIVE_INFINITY, '1 h': 3_600_000, '10 min': 600_000, '1 min': 60_000 } as const
type WindowName = keyof typeof windows

export function TimeBar() {
  const { at, versus } = useCluster()
  const timeline = useTimeline()
  const [window_, setWindow] = useState<WindowName>('all')
  const atMs = useMomentMs(at)
  if (!timeline || timeline.marks.length === 0) return <footer className="time-bar" />
  const span = spanOf(timeline, windows[window_])
  return (
    <footer className="time-bar">
      <Controls timeline={timeline} span={span} />
      <Strip timeline={timeline} span={span} {...(atMs === undefined ? {} : { atMs })} />
      <label className="compact">
        <span className="visually-hidden">How much of the past</span>
        <select value={window_} onChange={(event) => setWindow(event.target.value as WindowName)}>
          {Object.keys(windows).map((name) => (
            <option key={name} value={name}>{name === 'all' ? 'all' : `last ${name}`}</option>
          ))}
        </select>
      </label>
      <button
        type="button"
        className={`quiet-button${versus ? ' on' : ''}`}
        aria-pressed={versus !== undefined}
        title={versus ? 'End the comparison' : 'Hold this moment, then move to another: pages show what is different'}
        onClick={() => setQuery({ vs: versus ? undefined : (at ?? String(timeline.newest)) })}
      >
        <CompareIcon /> <span>{versus ? `since ${versus}` : 'Compare'}</span>
      </button>
    </footer>
  )
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

function spanOf({ marks }: Timeline, widthMs: number): Span {
  const toMs = marks.at(-1)!.ms
  return { fromMs: Math.max(marks[0]!.ms, toMs - widthMs), toMs: Math.max(toMs, marks[0]!.ms + 1) }
}

function Controls({ timeline, span }: { readonly timeline: Timeline; readonly span: Span }) {
  const { at } = useCluster()
  const [isPlaying, setPlaying] = useState(false)
  const now = at ? Number(at) || sequenceAt(timeline, Date.parse(at)) : timeline.newest
  const step = (by: number): void => {
    const next = now + by
    if (next >= timeline.newest) setQuery({ at: undefined }, 'replace')
    else setQuery({ at: String(Math.max(timeline.oldest, next)) }, 'replace')
  }
  useStepKeys(step)
  // biome-ignore lint/correctness/useExhaustiveDependencies: one tick a moment
  useEffect(() => {
    if (!isPlaying) return
    const timer = window.setTimeout(() => {
      const nextMs = timeOf(timeline, now) + (span.toMs - span.fromMs) / bins
      const next = Math.max(now + 1, sequenceAt(timeline, nextMs))
      if (next >= timeline.newest) setPlaying(false)
      setQuery({ at: next >= timeline.newest ? undefined : String(next) }, 'replace')
    }, playEveryMs)
    return () => window.clearTimeout(timer)
  }, [isPlaying, at])
  const play = (): void => {
    if (!at && !isPlaying) setQuery({ at: String(timeline.oldest) })
    setPlaying(!isPlaying)
  }
  return (
    <>
      <button type="button" className={`live${at ? '' : ' on'}`} aria-pressed={!at} onClick={() => setQuery({ at: undefined })}>
        <span className="live-dot" /> live
      </button>
      <div className="steps">
        <button type="button" className="icon-button" aria-label="One change back" title="One change back  [" onClick={() => step(-1)}>
          <BackIcon />
        </button>
        <button type="button" className="icon-button" aria-label={isPlaying ? 'Pause' : 'Play'} title="Play" onClick={play}>
          {isPlaying ? <PauseIcon /> : <PlayIcon />}
        </button>
        <button type="button" className="icon-button" aria-label="One change on" title="One change on  ]" disabled={!at} onClick={() => step(1)}>
          <ForwardIcon />
        </button>
      </div>
      <Readout sequence={now} isPast={at !== undefined} />
    </>
  )
}

function useStepKeys(step: (by: number) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (isTyping(event) || event.ctrlKey || event.metaKey) return
      if (event.key === '[') step(-1)
      if (event.key === ']') step(1)
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  })
}

function Readout({ sequence, isPast }: { readonly sequence: number; readonly isPast: boolean }) {
  const { at } = useCluster()
  const ms = useMomentMs(at)
  const now = useNow()
  const style = useTimeStyle()
  return (
    <output className="readout">
      <strong>#{sequence}</strong>
      {isPast && ms !== undefined && (
        <span title={clockText(ms, true)}>
          {clockText(ms, style === 'utc')} <span className="quiet">({durationText(now - ms)} ago)</span>
        </span>
      )}
    </output>
  )
}

function Strip({ timeline, span, atMs }: { readonly timeline: Timeline; readonly span: Span; readonly atMs?: number }) {
  const { versus } = useCluster()
  const versusMs = useMomentMs(versus)
  const strip = useRef<HTMLDivElement>(null)
  const [dragMs, setDragMs] = useState<number>()
  const lastMs = useRef(0)
  const heights = useMemo(() => heightsOf(timeline, span), [timeline, span])
  const width = span.toMs - span.fromMs
  const place = (ms: number): number => Math.min(100, Math.max(0, (100 * (ms - span.fromMs)) / width))
  const move = (ms: number, isLast: boolean): void => {
    setDragMs(isLast ? undefined : ms)
    if (!isLast && performance.now() - lastMs.current < dragEveryMs) return
    lastMs.current = performance.now()
    setQuery({ at: ms >= span.toMs - width / bins / 2 ? undefined : String(sequenceAt(timeline, ms)) }, 'replace')
  }
  const msOf = (event: ReactPointerEvent): number => {
    const { left, width: pixels } = strip.current!.getBoundingClientRect()
    return span.fromMs + Math.min(1, Math.max(0, (event.clientX - left) / pixels)) * width
  }
  const shownMs = dragMs ?? atMs ?? span.toMs
  return (
    <div
      ref={strip}
      className="strip"
      role="slider"
      tabIndex={0}
      aria-label="Moment"
      aria-valuemin={timeline.oldest}
      aria-valuemax={timeline.newest}
      aria-valuenow={sequenceAt(timeline, shownMs)}
      aria-valuetext={atMs === undefined ? 'live' : clockText(shownMs)}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        move(msOf(event), false)
      }}
      onPointerMove={(event) => event.buttons === 1 && move(msOf(event), false)}
      onPointerUp={(event) => move(msOf(event), true)}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key]
        if (event.key === 'Home') move(span.fromMs, true)
        else if (event.key === 'End') move(span.toMs, true)
        else if (by) move(Math.min(span.toMs, Math.max(span.fromMs, shownMs + (by * width) / bins)), true)
        else return
        event.preventDefault()
      }}
    >
      <svg viewBox={`0 0 ${bins} 20`} preserveAspectRatio="none" aria-hidden="true">
        {heights.map((height, bin) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the bins are the places
          <rect key={bin} x={bin + 0.1} width={0.8} y={20 - height} height={height} className={span.fromMs + (bin / bins) * width <= shownMs ? 'then' : 'later'} />
        ))}
      </svg>
      {versusMs !== undefined && <span className="pin versus" style={{ left: `${place(versusMs)}%` }} />}
      <span className="pin" style={{ left: `${place(shownMs)}%` }} />
    </div>
  )
}

/** Changes in each part of the span, on a scale that shows few beside many. */
function heightsOf(timeline: Timeline, { fromMs, toMs }: Span): number[] {
  const edges = Array.from({ length: bins + 1 }, (_, bin) => sequenceAt(timeline, fromMs + ((toMs - fromMs) * bin) / bins))
  const counts = edges.slice(1).map((edge, bin) => edge - edges[bin]!)
  const most = Math.log1p(Math.max(1, ...counts))
  return counts.map((count) => (count <= 0 ? 0.4 : 1.5 + (18 * Math.log1p(count)) / most))
}
