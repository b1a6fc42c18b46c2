// The keys that rounds are working on, as far as they may be assigned to another replica meanwhile. A revoked key sends no
// further command; a revocation is complete when the commands already in flight have been answered.
import type { Shares } from '@shiplog/replicas/shares'

/** A key for as long as a round works on it. */
export interface ActiveKey {
  /** `<controller>/<key>`. */
  readonly name: string
  /** The key was assigned to another replica since the round began. */
  isRevoked: boolean
  /** Commands without an answer yet. */
  inFlight: number
}

export class ActiveKeys {
  readonly #assignment: Shares | undefined
  readonly #active = new Set<ActiveKey>()
  #revocations: { readonly of: ReadonlySet<ActiveKey>; readonly resolve: () => void }[] = []

  /** Without an assignment all keys are this replica's. */
  constructor(assignment: Shares | undefined) {
    this.#assignment = assignment
  }

  owns(name: string): boolean {
    return this.#assignment?.owns(name) ?? true
  }

  /** Undefined when keys are not assigned. */
  begin(name: string): ActiveKey | undefined {
    if (!this.#assignment) return undefined
    const key: ActiveKey = { name, isRevoked: false, inFlight: 0 }
    this.#active.add(key)
    return key
  }

  end(key: ActiveKey | undefined): void {
    if (key) this.#active.delete(key)
  }

  /** Counts a command as in flight until it is answered. */
  async track<T>(key: ActiveKey | undefined, send: () => Promise<T>): Promise<T> {
    if (!key) return await send()
    key.inFlight++
    try {
      return await send()
    } finally {
      key.inFlight--
      this.#settleRevocations()
    }
  }

  /** Revokes what is not owned any more; resolves when none of that has a command in flight. */
  revoke(): Promise<void> {
    const pending = new Set<ActiveKey>()
    for (const key of this.#active) {
      if (!key.isRevoked && this.owns(key.name)) continue
      key.isRevoked = true
      if (key.inFlight > 0) pending.add(key)
    }
    if (pending.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#revocations.push({ of: pending, resolve })
    })
  }

  #settleRevocations(): void {
    this.#revocations = this.#revocations.filter(({ of, resolve }) => {
      const isOver = [...of].every(({ inFlight }) => inFlight === 0)
      if (isOver) resolve()
      return !isOver
    })
  }
}
