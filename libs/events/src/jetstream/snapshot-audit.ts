// Why a snapshot brought fewer records than it promised: they were superseded meanwhile, which is fine, or the server
// cannot read them and leaves them out without a word, which is damage.
import { LogDamaged } from '../event-log.ts'
import { compileFilter } from '../subject-filter.ts'
import type { DirectGet } from './direct-get.ts'
import type { StreamHandle } from './stream-handle.ts'

const requestsInFlight = 128

/** Throws LogDamaged unless every subject of the server's index has a last record that can be read. */
export async function auditSnapshot(
  stream: Pick<StreamHandle, 'name' | 'countBySubject'>,
  directGet: Pick<DirectGet, 'last'>,
  filters: readonly string[],
): Promise<void> {
  const subjects = [...(await stream.countBySubject()).keys()].filter(compileFilter(filters))
  for (let index = 0; index < subjects.length; index += requestsInFlight) {
    const some = subjects.slice(index, index + requestsInFlight)
    const lasts = await Promise.all(some.map((subject) => directGet.last(subject)))
    const unread = some.filter((_, place) => lasts[place] === undefined)
    if (unread.length === 0) continue
    // A record may have expired or been purged since the index was read.
    const now = await stream.countBySubject()
    const damaged = unread.find((subject) => now.has(subject))
    if (damaged !== undefined) {
      throw new LogDamaged(`Stream ${stream.name} is damaged: the last record of ${damaged} cannot be read`)
    }
  }
}
