// Links within the page: ordinary ones, so that they can be opened in another tab, that do not load the page anew.
import type { MouseEvent, ReactNode } from 'react'
import { go } from '../data/place.ts'

interface Props {
  readonly href: string
  readonly className?: string
  readonly title?: string
  readonly current?: boolean
  readonly children: ReactNode
}

export function Link({ href, className, title, current, children }: Props) {
  const click = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
    event.preventDefault()
    go(href)
  }
  return (
    <a href={href} className={className} title={title} aria-current={current ? 'page' : undefined} onClick={click}>
      {children}
    </a>
  )
}
