// Light, dark, or as the machine has it.
export type Theme = 'system' | 'light' | 'dark'

const themeKey = 'shiplog-theme'
export const theme = (): Theme => (localStorage.getItem(themeKey) as Theme | null) ?? 'system'

export function applyTheme(next: Theme = theme()): void {
  localStorage.setItem(themeKey, next)
  if (next === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
}
