// Why a pod is where it is, or waits: what `shiplog explain` tells, for whoever may get the pod and list nodes. It is
// reckoned again from the log, which takes a while on a long one: one at a time, and in steps.
import { ApiError, badRequest, forbidden, notFound, tooManyRequests } from '@shiplog/api/status'
import { pastOf } from '@shiplog/feed/history/past-records'
import { recordCodec } from '@shiplog/feed/record-codec'
import type { HttpReply, HttpRequest } from '../http/fastify-types.ts'
import { answerJson } from '../http/responses.ts'
import type { PastRouteDeps } from './past-routes.ts'

export const explainPath = '/shiplog/v1/explain'

const busyRetrySeconds = 1

/** The gateway serves others between two steps. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export function createExplainRoute(deps: PastRouteDeps): (request: HttpRequest, reply: HttpReply) => Promise<void> {
  let isBusy = false
  return async (request, reply) => {
    const { user, searchParams } = request
    const [namespace, name, at] = ['namespace', 'name', 'at'].map((key) => searchParams.get(key) ?? '')
    if (!namespace || !name) throw new ApiError(badRequest('which pod?'))
    if (at && !/^\d{1,15}$/.test(at)) throw new ApiError(badRequest(`at: ${JSON.stringify(at)} is not a sequence`))
    for (const [verb, resource, where, which] of [['get', 'pods', namespace, name], ['list', 'nodes', '', '']] as const) {
      const access = { user, verb, group: '', resource, subresource: '', namespace: where, name: which }
      if (deps.authorizer.allows(access)) continue
      throw new ApiError(forbidden({ group: '', resource }, which, `User "${user.name}" cannot ${verb} resource "${resource}" in API group ""`))
    }
    if (isBusy) throw new ApiError(tooManyRequests('another decision is being computed again', busyRetrySeconds))
    isBusy = true
    try {
      const { explainPod } = await import('@shiplog/scheduling/replay/explain-decision')
      const past = pastOf(deps.events, deps.codec ?? recordCodec, deps.inspection)
      const sequence = at ? Number(at) : await deps.events.lastSequence()
      answerJson(reply, 200, await explainPod(past, { namespace, name }, sequence, { pause: turn }))
    } catch (error) {
      if (error instanceof Error && error.name !== 'ApiError')
        throw new ApiError({ ...notFound({ group: '', resource: 'pods' }, name), message: error.message })
      throw error
    } finally {
      isBusy = false
    }
  }
}
