// Who belongs to whom: routes, services, workloads, pods and nodes of a namespace, from left to right. Where an owner has many
// pods they are one box. It follows the time bar.
import { useMemo } from 'react'
import { useCluster } from '../cluster-state.ts'
import { loadGraph } from '../data/graph.ts'
import { type Box, boxHeight, boxWidth, layOut } from '../data/graph-layout.ts'
import { go, objectHref } from '../data/place.ts'
import { Empty, Failure, Loading } from '../parts/messages.tsx'
import { usePolled } from './overview.tsx'

export function MapPage() {
  const { kinds, namespace, at } = useCluster()
  const graph = usePolled(() => loadGraph(kinds, namespace, at), `${namespace} ${at}`, !at)
  const laid = useMemo(() => graph.value && layOut(graph.value), [graph.value])
  return (
    <section className="page map-page">
      <header className="page-head">
        <h1>Map</h1>
        <span className="count">{namespace || 'all namespaces'}{graph.value ? `, ${graph.value.nodes.length} boxes` : ''}</span>
        {at && <span className="chip past">as of #{at}</span>}
      </header>
      {graph.failure && !graph.value ? <Failure error={graph.failure} what="It cannot be drawn" /> : !laid ? <Loading what="what there is" /> : laid.boxes.length === 0 ? <Empty>There is nothing here that belongs together. Choose another namespace above.</Empty> : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
        <div className="map" tabIndex={0} role="region" aria-label="Map of resources">
          <svg width={laid.width} height={laid.height} role="group" aria-label="Resources and what joins them">
            {laid.edges.map(({ key, from, to, how }) => (
              <path key={key} className={`edge ${how}`} d={curve(from, to)} />
            ))}
            {laid.boxes.map((box) => <BoxView key={box.node.key} box={box} />)}
          </svg>
        </div>
      )}
      <p className="legend quiet"><span className="key owns" /> owns <span className="key selects" /> selects <span className="key routes" /> routes to <span className="key runs" /> runs on</p>
    </section>
  )
}

function curve(from: Box, to: Box): string {
  const [x1, y1, x2, y2] = [from.x + boxWidth, from.y + boxHeight / 2, to.x, to.y + boxHeight / 2]
  const middle = (x1 + x2) / 2
  return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`
}

const nameCharacters = 20

function BoxView({ box: { x, y, node } }: { readonly box: Box }) {
  const { title, kind, tone, place } = node
  const href = place && objectHref(place)
  const shown = title.length > nameCharacters ? `${title.slice(0, nameCharacters - 9)}…${title.slice(-8)}` : title
  return (
    <a href={href} onClick={(event) => {
      if (event.metaKey || event.ctrlKey || !href) return
      event.preventDefault()
      go(href)
    }}>
      <title>{`${kind} ${title}`}</title>
      <rect className={`box ${tone}`} x={x} y={y} width={boxWidth} height={boxHeight} rx={5} />
      <circle className={`box-dot ${tone}`} cx={x + 12} cy={y + boxHeight / 2} r={3.5} />
      <text className="box-kind" x={x + 23} y={y + 14}>{kind}</text>
      <text className="box-title" x={x + 23} y={y + 28}>{shown}</text>
    </a>
  )
}
