// The editor and the comparison of texts, loaded when somebody first needs them: they are half of the page's program.
import { lazy, Suspense } from 'react'
import type { DifferencesProps, EditorProps } from './code-mirror.tsx'

const CodeEditor = lazy(() => import('./code-mirror.tsx').then(({ Editor }) => ({ default: Editor })))
const CodeDifferences = lazy(() => import('./code-mirror.tsx').then(({ Differences }) => ({ default: Differences })))
const Frame = () => <div className="editor" aria-busy="true" />

export const Editor = (props: EditorProps) => (
  <Suspense fallback={<Frame />}>
    <CodeEditor {...props} />
  </Suspense>
)

export const Differences = (props: DifferencesProps) => (
  <Suspense fallback={<Frame />}>
    <CodeDifferences {...props} />
  </Suspense>
)
