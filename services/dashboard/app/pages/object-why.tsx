// Why this pod is where it is, or waits: its last decision, reckoned again from the log. Every node beside every plugin.
import { useEffect, useState } from 'react'
import { useCluster } from '../cluster-state.ts'
import { askJson } from '../data/api.ts'
import { setQuery } from '../data/place.ts'
import { inNamespace, shellLine } from '../data/shell.ts'
import { CopyText } from '../parts/copy.tsx'
import { Failure, Loading } from '../parts/messages.tsx'
import { NodeLink } from './object-summary.tsx'
import type { TabProps } from './object.tsx'

interface NodeVerdict {
  readonly node: string
  readonly filters: readonly { readonly plugin: string; readonly reasons: readonly string[] }[]
  readonly scores: readonly { readonly plugin: string; readonly raw: number; readonly normalized: number; readonly weighted: number }[]
  readonly total?: number
  readonly shortages: readonly { readonly resource: string; readonly wanted: number; readonly free: number; readonly allocatable: number }[]
  readonly taints: readonly string[]
}

interface Explained {
  readonly basis: number
  readonly recordedAt?: number
  readonly asRecorded?: boolean
  readonly node?: string
  readonly message?: string
  readonly preemption?: { readonly node: string; readonly victims: readonly string[] }
  readonly nodes: readonly NodeVerdict[]
  readonly weights: Readonly<Record<string, number>>
  readonly required?: unknown
}

const nodesShown = 60

export function WhyTab({ namespace, name, object }: TabProps) {
  const { at } = useCluster()
  const [explained, setExplained] = useState<Explained>()
  const [failure, setFailure] = useState<Error>()
  const sequence = at && /^\d+$/.test(at) ? at : ''
  const { uid } = object.metadata
  // biome-ignore lint/correctness/useExhaustiveDependencies: of this pod, whatever changes of it
  useEffect(() => {
    setExplained(undefined)
    setFailure(undefined)
    askJson(`/shiplog/v1/explain?${new URLSearchParams({ namespace, name, at: sequence })}`).then(setExplained, setFailure)
  }, [namespace, name, sequence, uid])
  if (failure) return <Failure error={failure} what="Nothing can be told about a decision" />
  if (!explained) return <Loading what="the decision, and all it rests on" />
  const { node, message, nodes, recordedAt, basis, asRecorded, required, preemption } = explained
  const ranked = nodes.toSorted((a, b) => Number(b.node === node) - Number(a.node === node) || (b.total ?? -1) - (a.total ?? -1))
  const passed = nodes.filter(({ total }) => total !== undefined).length
  return (
    <>
      <div className={`verdict ${node ? 'good' : 'bad'}`}>
        <p>
          {node ? <>It goes to <NodeLink name={node} />: {passed} of {nodes.length} nodes passed every filter, and this one scored best.</> : <>It fits nowhere. {message}</>}
        </p>
        {preemption && <p>Room is made on {preemption.node}: {preemption.victims.join(', ')} go.</p>}
        {required !== undefined && <p className="quiet">It requires <code>{JSON.stringify(required)}</code></p>}
        <p className="quiet">
          {recordedAt === undefined ? `No decision is recorded; this is what would be decided at #${basis}.` : asRecorded ? 'Reckoned again from the log, it is the same decision.' : 'Reckoned again from the log, it is another decision.'}{' '}
          <button type="button" className="link" onClick={() => setQuery({ at: String(basis) })}>Go to the moment it was based on (#{basis})</button>
        </p>
        <CopyText text={shellLine('npx', 'shiplog', 'explain', `pod/${name}`, ...inNamespace(namespace), ...(sequence ? ['--at', sequence] : []))} />
      </div>
      <Matrix nodes={ranked.slice(0, nodesShown)} winner={node} weights={explained.weights} />
      {ranked.length > nodesShown && <p className="quiet">and {ranked.length - nodesShown} more nodes</p>}
    </>
  )
}

function Matrix({ nodes, winner, weights }: { readonly nodes: readonly NodeVerdict[]; readonly winner: string | undefined; readonly weights: Explained['weights'] }) {
  const filters = [...new Set(nodes.flatMap(({ filters }) => filters.map(({ plugin }) => plugin)))]
  const scores = [...new Set(nodes.flatMap(({ scores }) => scores.map(({ plugin }) => plugin)))]
  const slanted = filters.length + scores.length > 6 ? 'slanted' : undefined
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
    <div className="matrix-frame" tabIndex={0} role="region" aria-label="Nodes and plugins">
      <table className="plain matrix">
        <caption className="visually-hidden">What each plugin says of each node</caption>
        <thead>
          <tr>
            <th scope="col">Node</th>
            {filters.map((plugin) => <th key={plugin} scope="col" className={slanted}><span>{plugin}</span></th>)}
            {scores.map((plugin) => <th key={plugin} scope="col" className={slanted}><span>{plugin} ×{weights[plugin] ?? 1}</span></th>)}
            <th scope="col" className="number">Total</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map(({ node, filters: said, scores: scored, total, shortages, taints }) => (
            <tr key={node} className={node === winner ? 'winner' : total === undefined ? 'refused' : undefined}>
              <th scope="row">{node === winner && <span title="chosen">★ <span className="visually-hidden">chosen: </span></span>}{node}</th>
              {filters.map((plugin) => {
                const one = said.find((filter) => filter.plugin === plugin)
                const why = one?.reasons.join(', ') ?? ''
                return (
                  <td key={plugin} className={!one ? 'quiet' : why ? 'no' : 'yes'}>
                    {!one ? <span title="not asked any more">·</span> : why ? <span className="reason">{why}{plugin === 'NodeResourcesFit' && shortages.map((lack) => <small key={lack.resource}>{lack.resource}: {amount(lack.resource, lack.wanted)} wanted, {amount(lack.resource, Math.max(0, lack.free))} free of {amount(lack.resource, lack.allocatable)}</small>)}{plugin === 'TaintToleration' && taints.map((taint) => <small key={taint}>{taint}</small>)}</span> : <span title="passed">✓<span className="visually-hidden"> passed</span></span>}
                  </td>
                )
              })}
              {scores.map((plugin) => {
                const one = scored.find((score) => score.plugin === plugin)
                return (
                  <td key={plugin} className="score" title={one && `raw ${one.raw}, normalized ${one.normalized}, weighted ${one.weighted}`}>
                    {one && <><meter min={0} max={100} value={one.normalized} aria-label={`${plugin} of ${node}`} /> {one.weighted}</>}
                  </td>
                )
              })}
              <td className="number"><strong>{total ?? ''}</strong></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const units = ['', 'Ki', 'Mi', 'Gi', 'Ti']

/** CPU is told in thousandths, memory in bytes. */
function amount(resource: string, value: number): string {
  if (resource === 'cpu') return value % 1_000 === 0 ? String(value / 1_000) : `${value}m`
  if (!/memory|storage/.test(resource)) return String(value)
  let [rest, unit] = [value, 0]
  while (rest >= 1_024 && unit < units.length - 1) [rest, unit] = [rest / 1_024, unit + 1]
  return `${Number(rest.toFixed(1))}${units[unit]}`
}
