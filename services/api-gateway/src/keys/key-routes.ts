// `GET /shiplog/v1/keys`: which keys there are, whose they are and what wraps them; with `wrapped=true` also the keys, wrapped, to
// be kept. `DELETE
// /shiplog/v1/keys/<uid>` destroys one now instead of after the grace. Both ask for the right to the path, as other
// non-resource URLs do; only administrators have it.
import { ApiError, badRequest, conflict, methodNotAllowed, notFound, success } from '@shiplog/api/status'
import { isLive } from '@shiplog/encryption/key-keeper'
import type { Encryption } from '@shiplog/encryption/open-encryption'
import { savedKeysOf } from '@shiplog/encryption/saved-keys'
import type { EventLog } from '@shiplog/events/event-log'
import { parseObjectSubject } from '@shiplog/events/subjects'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import type { HttpReply, HttpRequest } from '../http/fastify-types.ts'
import { answerJson } from '../http/responses.ts'

export const keysPath = '/shiplog/v1/keys'

/** Keys of one answer; the counts are of all. */
const keysMax = 1_000

export interface KeyRouteDeps {
  readonly encryption: Encryption | undefined
  readonly events: EventLog
  readonly nowMs: () => number
}

const keysResource = { group: '', resource: 'keys' }

export async function serveKeys(deps: KeyRouteDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  if (request.method !== 'GET') throw new ApiError(methodNotAllowed(keysResource, request.method))
  const { store } = encryptionOf(deps).keyring
  if (request.searchParams.get('wrapped') === 'true') {
    return answerJson(reply, 200, savedKeysOf(store.keys.values(), store.keks.values()))
  }
  const wrappedBy: Record<string, number> = {}
  const [keys, counts] = [[] as object[], { present: 0, destroyed: 0 }]
  for (const { id, subject, by, destroyed } of store.keys.values()) {
    if (destroyed === undefined) counts.present += 1
    else counts.destroyed += 1
    if (by !== undefined) wrappedBy[by] = (wrappedBy[by] ?? 0) + 1
    if (keys.length >= keysMax) continue
    const { group = '', resource = '', namespace = '', name = '' } = parseObjectSubject(subject) ?? {}
    keys.push({ uid: id, resource: groupResourceOf(group, resource), namespace, name, by, destroyed })
  }
  answerJson(reply, 200, { ...counts, wrappedBy, keys })
}

export async function serveKey(deps: KeyRouteDeps, request: HttpRequest, reply: HttpReply): Promise<void> {
  if (request.method !== 'DELETE') throw new ApiError(methodNotAllowed(keysResource, request.method))
  const { keyring } = encryptionOf(deps)
  const id = decodeURIComponent(request.path.slice(keysPath.length + 1))
  const key = keyring.store.keys.get(id)
  if (!key) throw new ApiError(notFound(keysResource, id))
  if (await isLive(deps.events, key)) {
    throw new ApiError(conflict(keysResource, id, 'its object is there: delete that first'))
  }
  const why = `at ${new Date(deps.nowMs()).toISOString()}, by ${request.user.name}`
  await keyring.destroy(id, why, request.user.name)
  answerJson(reply, 200, success(200))
}

function encryptionOf({ encryption }: KeyRouteDeps): Encryption {
  if (encryption) return encryption
  throw new ApiError(badRequest('nothing is encrypted here'))
}
