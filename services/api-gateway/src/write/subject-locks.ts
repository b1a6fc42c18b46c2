// One writer of this gateway at a time for each subject. No rule rests on it: others would only lose the compare-and-set.

export interface SubjectLocks {
  /** Runs `work` when all earlier work on the subject has ended. */
  exclusively<Result>(subject: string, work: () => Promise<Result>): Promise<Result>
}

export function createSubjectLocks(): SubjectLocks {
  const busy = new Map<string, Promise<void>>()
  return {
    async exclusively(subject, work) {
      const before = busy.get(subject)
      const done = Promise.withResolvers<void>()
      busy.set(subject, done.promise)
      if (before) await before
      try {
        return await work()
      } finally {
        done.resolve()
        if (busy.get(subject) === done.promise) busy.delete(subject)
      }
    },
  }
}
