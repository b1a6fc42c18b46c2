// The few pictures of the page, drawn here: nothing is fetched from elsewhere.
import type { ReactNode } from 'react'

const Icon = ({ children }: { readonly children: ReactNode }) => (
  <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    {children}
  </svg>
)

export const Logo = () => (
  <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="7" className="logo-back" />
    <path d="M7 10h18M7 16h12M7 22h15" className="logo-lines" />
    <circle cx="24" cy="16" r="2.6" className="logo-dot" />
  </svg>
)
export const SearchIcon = () => <Icon><circle cx="7" cy="7" r="4.5" /><path d="m10.5 10.5 3.5 3.5" /></Icon>
export const PlayIcon = () => <Icon><path d="M5 3.5v9l7-4.5z" className="filled" /></Icon>
export const PauseIcon = () => <Icon><path d="M5 3.5v9M11 3.5v9" /></Icon>
export const BackIcon = () => <Icon><path d="M10 3.5 5.5 8l4.5 4.5" /></Icon>
export const ForwardIcon = () => <Icon><path d="M6 3.5 10.5 8 6 12.5" /></Icon>
export const MenuIcon = () => <Icon><path d="M2.5 4h11M2.5 8h11M2.5 12h11" /></Icon>
export const CopyIcon = () => <Icon><rect x="5" y="5" width="8" height="9" rx="1.2" /><path d="M3 11V3.2A1.2 1.2 0 0 1 4.2 2H10" /></Icon>
export const CloseIcon = () => <Icon><path d="m4 4 8 8M12 4l-8 8" /></Icon>
export const ColumnsIcon = () => <Icon><rect x="2" y="3" width="12" height="10" rx="1" /><path d="M6.2 3v10M10 3v10" /></Icon>
export const CompareIcon = () => <Icon><path d="M5.5 2v12M10.5 2v12M2 5h3.5M10.5 11H14" /></Icon>
