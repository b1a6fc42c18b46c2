// What came of an action, said for some seconds, with the command that does the same.
import { useSyncExternalStore } from 'react'
import { CopyText } from './copy.tsx'

interface Toast {
  readonly id: number
  readonly text: string
  readonly command?: string | undefined
  readonly isFailure: boolean
}

const shownMs = 9_000
let toasts: readonly Toast[] = []
let next = 1
const listeners = new Set<() => void>()
const set = (list: readonly Toast[]): void => {
  toasts = list
  for (const listener of listeners) listener()
}

export function say(text: string, { command, isFailure = false }: { command?: string | undefined; isFailure?: boolean } = {}): void {
  const id = next++
  set([...toasts.slice(-3), { id, text, command, isFailure }])
  window.setTimeout(() => set(toasts.filter((toast) => toast.id !== id)), shownMs)
}

export function Toasts() {
  const list = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map(({ id, text, command, isFailure }) => (
        <div key={id} className={`toast${isFailure ? ' bad' : ''}`}>
          <span>{text}</span>
          {command && <CopyText text={command} />}
        </div>
      ))}
    </div>
  )
}
