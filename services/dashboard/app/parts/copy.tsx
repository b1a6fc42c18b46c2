// A line to copy: what kubectl would be told.
import { useState } from 'react'
import { CopyIcon } from './icons.tsx'
import { say } from './toasts.tsx'

const shownMs = 1_500

export function CopyText({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false)
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => {
        setCopied(true)
        window.setTimeout(() => setCopied(false), shownMs)
      },
      () => say('The browser does not let pages copy: mark the line, and copy it yourself', { isFailure: true }),
    )
  }
  return (
    <span className="copy">
      <code>{text}</code>
      <button type="button" className="icon-button" onClick={copy} aria-label={`Copy: ${text}`} title={isCopied ? 'Copied' : 'Copy'}>
        {isCopied ? '✓' : <CopyIcon />}
      </button>
    </span>
  )
}
