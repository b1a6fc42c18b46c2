// CodeMirror in a shadow root: there it brings its styles as constructed sheets, which the page's policy allows, and not as
// elements in the head, which it does not.
import { autocompletion, closeBrackets } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { PostgreSQL, sql } from '@codemirror/lang-sql'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { MergeView } from '@codemirror/merge'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { EditorState, type Extension, Prec } from '@codemirror/state'
import { EditorView, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'react'

const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '12.5px', color: 'var(--text)', backgroundColor: 'var(--surface)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--quiet)', border: 'none', paddingRight: '4px' },
  '.cm-content': { caretColor: 'var(--accent)' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection': { backgroundColor: 'var(--selection) !important' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-changedLine': { backgroundColor: 'var(--changed-back) !important' },
  '.cm-changedText': { background: 'var(--changed-strong) !important', borderRadius: '2px' },
  '.cm-deletedChunk': { backgroundColor: 'var(--removed-back)' },
  '.cm-collapsedLines': { backgroundColor: 'var(--raised)', color: 'var(--quiet)', backgroundImage: 'none' },
  '.cm-collapsedLines:before, .cm-collapsedLines:after': { content: 'none !important' },
})

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.keyword], color: 'var(--code-key)' },
  { tag: [tags.string, tags.content], color: 'var(--code-text)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: [tags.comment, tags.meta], color: 'var(--quiet)' },
])

const common = (label: string): Extension => [
  ...[lineNumbers(), history(), bracketMatching(), closeBrackets(), highlightSelectionMatches(), theme, syntaxHighlighting(colours)],
  keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap]),
  EditorView.contentAttributes.of({ 'aria-label': label }),
]

export interface EditorProps {
  readonly value: string
  readonly label: string
  readonly language: 'yaml' | 'sql'
  readonly readOnly?: boolean
  /** Tables and their columns, for completion. */
  readonly schema?: Readonly<Record<string, readonly string[]>>
  readonly onChange?: (text: string) => void
  readonly onRun?: () => void
}

export function Editor({ value, label, language, readOnly = false, schema, onChange, onRun }: EditorProps) {
  const host = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView>(undefined)
  const handlers = useRef({ onChange, onRun })
  handlers.current = { onChange, onRun }
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is taken over below
  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: 'open' })
    const language_: Extension = language === 'yaml' ? yaml() : sql({ dialect: PostgreSQL, ...(schema ? { schema, defaultSchema: 'v1' } : {}) })
    const runNow = (): boolean => {
      handlers.current.onRun?.()
      return true
    }
    const run = Prec.highest(keymap.of([{ key: 'Mod-Enter', run: runNow }]))
    const opened = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: value,
        extensions: [
          ...[run, common(label), language_, readOnly ? [] : keymap.of([indentWithTab])],
          ...[EditorState.readOnly.of(readOnly), EditorView.editable.of(!readOnly), autocompletion()],
          // What can be scrolled must be reachable by keys.
          readOnly ? EditorView.contentAttributes.of({ tabindex: '0' }) : [],
          EditorView.updateListener.of((update) => update.docChanged && handlers.current.onChange?.(update.state.doc.toString())),
        ],
      }),
    })
    view.current = opened
    return () => opened.destroy()
  }, [language, readOnly, schema, label])
  useEffect(() => {
    const shown = view.current
    if (shown && shown.state.doc.toString() !== value) shown.dispatch({ changes: { from: 0, to: shown.state.doc.length, insert: value } })
  }, [value])
  return <div className="editor" ref={host} />
}

export interface DifferencesProps {
  readonly before: string
  readonly after: string
  readonly labels: readonly [string, string]
}

/** Two texts beside one another, what is the same folded away. */
export function Differences({ before, after, labels }: DifferencesProps) {
  const host = useRef<HTMLDivElement>(null)
  const [labelBefore, labelAfter] = labels
  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: 'open' })
    const side = (doc: string, label: string) => ({
      doc,
      extensions: [common(label), yaml(), EditorState.readOnly.of(true), EditorView.editable.of(false), EditorView.lineWrapping, EditorView.contentAttributes.of({ tabindex: '0' })],
    })
    const merged = new MergeView({ root, parent: root, a: side(before, labelBefore), b: side(after, labelAfter), collapseUnchanged: { margin: 3, minSize: 4 }, gutter: true })
    return () => merged.destroy()
  }, [before, after, labelBefore, labelAfter])
  return (
    <div className="differences">
      <div className="differences-heads" aria-hidden="true">
        <span>{labelBefore}</span>
        <span>{labelAfter}</span>
      </div>
      <div className="editor" ref={host} />
    </div>
  )
}
