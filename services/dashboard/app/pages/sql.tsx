// Questions in SQL: present and past, as the reader's role. The question is in the URL, so it can be sent to somebody.
import { useEffect, useMemo, useRef, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { type ApiFailure, askJson } from '../data/api.ts'
import { hrefOf, setQuery, usePlace } from '../data/place.ts'
import { Editor } from '../parts/editor.tsx'
import { Link } from '../parts/link.tsx'
import { Empty, Failure } from '../parts/messages.tsx'
import { examples } from './sql-examples.ts'

interface Answer {
  readonly columns: readonly { readonly name: string; readonly json: string }[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly truncated: boolean
  readonly ms: number
}

const schemaQuery = `select table_name, string_agg(column_name, ',' order by ordinal_position) from information_schema.columns where table_schema = 'v1' group by 1`
const rowsShown = 1_000

const askSql = async (query: string): Promise<Answer> => {
  const beganMs = performance.now()
  const answer = await askJson('/shiplog/v1/sql', { method: 'POST', body: { query } })
  return { ...answer, ms: Math.round(performance.now() - beganMs) }
}

export function SqlPage() {
  const { query } = usePlace()
  const { at } = useCluster()
  const [text, setText] = useState(query.get('query') ?? examples[0]!.query)
  const [answer, setAnswer] = useState<Answer>()
  const [failure, setFailure] = useState<ApiFailure>()
  const [isBusy, setBusy] = useState(false)
  const [views, setViews] = useState<Readonly<Record<string, readonly string[]>>>({})
  useEffect(() => {
    askSql(schemaQuery).then(({ rows }) => setViews(Object.fromEntries(rows.map(([name, columns]) => [name!, columns!.split(',')]))), () => undefined)
  }, [])
  const current = useRef(text)
  current.current = text
  const run = (): void => {
    setBusy(true)
    setQuery({ query: current.current }, 'replace')
    askSql(current.current).then(
      (found) => {
        setAnswer(found)
        setFailure(undefined)
      },
      (error: ApiFailure) => {
        setFailure(error)
        setAnswer(undefined)
      },
    ).finally(() => setBusy(false))
  }
  const names = useMemo(() => Object.keys(views).filter((name) => !/_(history|as_of)$/.test(name)).sort(), [views])
  return (
    <section className="page sql-page">
      <header className="page-head">
        <h1>SQL</h1>
        <label className="compact">
          <span className="visually-hidden">Examples</span>
          <select value="" onChange={(event) => setText(examples[Number(event.target.value)]!.query)}>
            <option value="" disabled>Examples …</option>
            {examples.map(({ title }, index) => <option key={title} value={index}>{title}</option>)}
          </select>
        </label>
        <span className="spacer" />
        {at && <span className="quiet">Views tell the present; <code>v1.pods_as_of({/^\d+$/.test(at) ? at : `'${at}'`})</code> tells that moment.</span>}
        <button type="button" className="primary" onClick={run} disabled={isBusy}>{isBusy ? 'Asking …' : 'Run'} <kbd>Ctrl ↵</kbd></button>
      </header>
      <div className="sql-top">
        <Editor value={text} label="SQL" language="sql" schema={views} onChange={setText} onRun={run} />
        <details className="schema" open>
          <summary>Views of v1</summary>
          <ul>
            {names.map((name) => (
              <li key={name}>
                <details>
                  <summary>{name}</summary>
                  <p className="quiet">{views[name]!.join(', ')}</p>
                  <button type="button" className="link" onClick={() => setText(`select *\nfrom v1.${name}\nlimit 100`)}>ask for all</button>
                </details>
              </li>
            ))}
          </ul>
        </details>
      </div>
      {failure && <Failure error={failure} what={failure.code === 403 ? 'You may not ask in SQL: it reads across namespaces, so it takes the right to post to /shiplog/v1/sql' : 'PostgreSQL says'} />}
      {answer && <Result answer={answer} />}
    </section>
  )
}

function Result({ answer }: { readonly answer: Answer }) {
  const [charted, setCharted] = useState(-1)
  const { columns, rows, truncated, ms } = answer
  const download = (): void => {
    const cell = (value: string | null): string => (value === null ? '' : /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
    const csv = [columns.map(({ name }) => cell(name)), ...rows.map((row) => row.map(cell))].map((row) => row.join(',')).join('\n')
    const url = URL.createObjectURL(new Blob([`${csv}\n`], { type: 'text/csv' }))
    Object.assign(document.createElement('a'), { href: url, download: 'shiplog.csv' }).click()
    URL.revokeObjectURL(url)
  }
  const numeric = columns.flatMap(({ json }, index) => (json === 'raw' && rows.some((row) => row[index] !== null && !Number.isNaN(Number(row[index]))) ? [index] : []))
  if (columns.length === 0) return <Empty>Done; there are no rows.</Empty>
  return (
    <>
      <div className="bar">
        <span className="count">{rows.length} rows{truncated ? ', and more: add a limit, or ask for less' : ''} in {ms} ms</span>
        <span className="spacer" />
        {numeric.length > 0 && (
          <label className="compact">
            <span className="visually-hidden">Chart</span>
            <select value={charted} onChange={(event) => setCharted(Number(event.target.value))}>
              <option value={-1}>no chart</option>
              {numeric.map((index) => <option key={columns[index]!.name} value={index}>chart {columns[index]!.name}</option>)}
            </select>
          </label>
        )}
        <button type="button" className="quiet-button" onClick={download}>CSV</button>
      </div>
      {charted >= 0 && <Chart answer={answer} column={charted} />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys */}
      <div className="result" tabIndex={0} role="region" aria-label="Rows">
        <table className="plain">
          <thead>
            <tr>
              {columns.map(({ name }, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: two columns may have one name
                <th key={index} className={numeric.includes(index) ? 'number' : undefined}>{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, rowsShown).map((row, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows of an answer have no names
              <tr key={at}>
                {row.map((value, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: nor have cells
                  <td key={index} className={numeric.includes(index) ? 'number' : undefined}>
                    {value === null ? <span className="quiet">null</span> : /^(sequence|cause)$/.test(columns[index]!.name) ? <Link href={hrefOf([], { at: value })} title="See everything as it was then">#{value}</Link> : value}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

const barsMax = 40

function Chart({ answer: { rows, columns }, column }: { readonly answer: Answer; readonly column: number }) {
  const shown = rows.slice(0, barsMax)
  const most = Math.max(...shown.map((row) => Number(row[column] ?? 0)), 0) || 1
  const label = columns.findIndex(({ json }) => json === 'string')
  return (
    <figure className="chart" aria-label={`${columns[column]!.name} of each row`}>
      {shown.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows of an answer have no names
        <div key={index} className="chart-row">
          <span className="chart-label" title={row[label] ?? ''}>{label < 0 ? index + 1 : row[label]}</span>
          <span className="chart-bar"><span style={{ width: `${(100 * Math.max(0, Number(row[column] ?? 0))) / most}%` }} /></span>
          <span className="number">{row[column]}</span>
        </div>
      ))}
    </figure>
  )
}
