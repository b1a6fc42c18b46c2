// A page that fails to draw itself says so, and the rest of the frame stays.
import { Component, type ReactNode } from 'react'

interface Props {
  /** Another place is another try. */
  readonly place: string
  readonly children: ReactNode
}

interface State {
  readonly failure: Error | undefined
  readonly place: string
}

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { failure: undefined, place: this.props.place }

  static getDerivedStateFromError(failure: Error): Partial<State> {
    return { failure }
  }

  static getDerivedStateFromProps({ place }: Props, state: State): State | null {
    return place === state.place ? null : { failure: undefined, place }
  }

  override render(): ReactNode {
    const { failure } = this.state
    if (!failure) return this.props.children
    return (
      <section className="page">
        <div className="failure" role="alert">
          <strong>This page cannot be drawn</strong>
          <p>{failure.message}</p>
          <p className="hint">Load it anew: a newer version may have taken the place of this one. All other pages go on.</p>
          <button type="button" onClick={() => location.reload()}>Load it anew</button>
        </div>
      </section>
    )
  }
}
