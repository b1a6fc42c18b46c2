// What the log knows of the disk under it: only a nats-server of our own can be looked at.

/** How a server shows that it has no room: it says so, or it answers everything except appends. */
export type NoRoom = 'refused' | 'unanswered'

export interface LogDisk {
  /** Where it is and how much of it is free, in one sentence. */
  describe(): string
  onNoRoom(how: NoRoom): void
  /** True while an append would fail anyway: there was no room a moment ago, and there still is none. */
  isFull(): boolean
}
