// How the log grew: sequences and the times at which they were stored, asked for now and then, and what lies between them
// reckoned. A moment is a sequence; people see times.
import { useEffect, useState, useSyncExternalStore } from 'react'
import { askJson } from './api.ts'

export interface Mark {
  readonly sequence: number
  readonly ms: number
}

export interface Timeline {
  readonly oldest: number
  readonly newest: number
  readonly marks: readonly Mark[]
}

const refreshMs = 8_000
const marksWanted = 160

let timeline: Timeline | undefined
let failure: Error | undefined
const listeners = new Set<() => void>()
let timer: number | undefined

async function load(): Promise<void> {
  try {
    const answer = await askJson(`/shiplog/v1/timeline?marks=${marksWanted}`)
    const marks = answer.marks.map(({ sequence, time }: { sequence: number; time: string }) => ({ sequence, ms: Date.parse(time) }))
    timeline = { oldest: answer.oldest, newest: answer.newest, marks }
    failure = undefined
  } catch (error) {
    failure = error as Error
  }
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  if (listeners.size === 1) {
    void load()
    timer = window.setInterval(() => !document.hidden && void load(), refreshMs)
  }
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) window.clearInterval(timer)
  }
}

export const reloadTimeline = (): void => void load()
export const useTimeline = (): Timeline | undefined => useSyncExternalStore(subscribe, () => timeline)
export const timelineFailure = (): Error | undefined => failure

/** The sequence at a time, between the marks reckoned. */
export function sequenceAt({ marks }: Timeline, ms: number): number {
  const after = marks.findIndex((mark) => mark.ms > ms)
  if (after === 0) return marks[0]!.sequence
  if (after < 0) return marks.at(-1)!.sequence
  const [a, b] = [marks[after - 1]!, marks[after]!]
  return a.sequence + Math.floor(((b.sequence - a.sequence) * (ms - a.ms)) / Math.max(1, b.ms - a.ms))
}

export function timeOf({ marks }: Timeline, sequence: number): number {
  const after = marks.findIndex((mark) => mark.sequence >= sequence)
  if (after < 0) return marks.at(-1)?.ms ?? 0
  const b = marks[after]!
  const a = marks[after - 1] ?? b
  return b.sequence === a.sequence ? b.ms : a.ms + ((b.ms - a.ms) * (sequence - a.sequence)) / (b.sequence - a.sequence)
}

/** When a moment was, in milliseconds: of a sequence it is asked for. Undefined until it is known, and for the present. */
export function useMomentMs(at: string | undefined): number | undefined {
  const [ms, setMs] = useState<number>()
  useEffect(() => {
    setMs(undefined)
    if (!at) return
    if (!/^\d+$/.test(at)) return setMs(Date.parse(at))
    let isWanted = true
    askJson(`/shiplog/v1/timeline?marks=2&from=${at}&to=${at}`).then(
      ({ marks }) => isWanted && setMs(Date.parse(marks[0]?.time)),
      () => undefined,
    )
    return () => void (isWanted = false)
  }, [at])
  return ms
}
