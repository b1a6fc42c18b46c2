// A question in front of the page.
import { type ReactNode, useEffect, useRef } from 'react'
import { CloseIcon } from './icons.tsx'

interface Props {
  readonly title: string
  readonly onClose: () => void
  readonly isWide?: boolean
  readonly children: ReactNode
}

export function Dialog({ title, onClose, isWide = false, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null
    dialog.current?.showModal()
    // It is taken away open, so the browser would not do it.
    return () => before?.focus()
  }, [])
  return (
    <dialog ref={dialog} className={`dialog${isWide ? ' wide' : ''}`} onClose={onClose} aria-labelledby="dialog-title">
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button type="button" className="icon-button" aria-label="Close" onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      {children}
    </dialog>
  )
}
