// Keys, as in k9s: `:` goes somewhere, `/` filters what is shown, `[` and `]` step through time.
import { useEffect } from 'react'

export const isTyping = (event: KeyboardEvent): boolean => {
  const target = event.composedPath()[0] as HTMLElement
  return /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable
}

export function useShortcuts(openPalette: () => void): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same all along
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        openPalette()
        return
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event)) return
      if (event.key === ':') {
        event.preventDefault()
        openPalette()
      } else if (event.key === '/') {
        const filter = document.querySelector<HTMLInputElement>('input[data-filter]')
        if (!filter) return
        event.preventDefault()
        filter.focus()
        filter.select()
      }
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
}
