// Which pods belong to which PodGroup, waiting or placed, by their uids: those that have ended are not counted.
const nobody: ReadonlySet<string> = new Set()

export class PodGroups {
  readonly #groupOf = new Map<string, string>()
  readonly #members = new Map<string, Set<string>>()

  /** True when the pod is new in its group. A pod's group never changes. */
  add(uid: string, group: string): boolean {
    if (group === '' || this.#groupOf.has(uid)) return false
    this.#groupOf.set(uid, group)
    const members = this.#members.get(group)
    if (members) members.add(uid)
    else this.#members.set(group, new Set([uid]))
    return true
  }

  delete(uid: string): void {
    const group = this.#groupOf.get(uid)
    if (group === undefined) return
    this.#groupOf.delete(uid)
    const members = this.#members.get(group)!
    members.delete(uid)
    if (members.size === 0) this.#members.delete(group)
  }

  members(group: string): ReadonlySet<string> {
    return this.#members.get(group) ?? nobody
  }

  groupOf(uid: string): string | undefined {
    return this.#groupOf.get(uid)
  }
}
