// The operations on stored objects and their collections.
import { ApiError, success } from '@shiplog/api/status'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { ListResult } from '../read/reader.ts'
import type { Selected } from '../read/watch-source.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { parseListOptions } from '../request/list-options.ts'
import { compileSelection } from '../request/selection.ts'
import type { Version } from '../store/version.ts'
import { type Answer, answerOf } from './answer.ts'
import { computedVersions, type Operation, type OperationDeps, readObject } from './operation.ts'

/** How many members of a collection are deleted at a time. */
const deleteConcurrency = 64

/** What the query of a list, a watch or the deletion of a collection selects. */
export function select(request: GatewayRequest): Selected {
  const { kind, namespace, name } = request
  const options = parseListOptions(request.query)
  return { options, selection: compileSelection(kind, { ...options, namespace, name }) }
}

export const getObject: Operation = async (deps, request) => {
  const version = await readObject(deps, request)
  const { sequence } = version
  return { kind: 'object', code: 200, object: version, sequence, warnings: deps.reader.warnings ?? [] }
}

async function listed(deps: OperationDeps, request: GatewayRequest): Promise<ListResult> {
  const { selection, options } = select(request)
  const computed = computedVersions(deps, request)
  if (!computed) {
    const shown = request.kind.conversions && ((stored: readonly Version[]) => deps.converter.shown(request.kind, stored))
    return await deps.reader.list(request.resource, selection, options, shown)
  }
  const versions = computed.filter((version) => selection.matches(version))
  return { versions, meta: { resourceVersion: '' } }
}

export const listObjects: Operation = async (deps, request) => {
  const { versions, meta, warnings = [] } = await listed(deps, request)
  return {
    ...{ kind: 'list', code: 200, versions, meta },
    sequence: Number(meta.resourceVersion),
    warnings: [...warnings, ...(deps.reader.warnings ?? [])],
  }
}

export const watchObjects: Operation = async ({ watches }, request) => await watches.open(request, select(request))

export const createObject: Operation = async ({ writer }, request) => answerOf(await writer.create(request))
export const updateObject: Operation = async ({ writer }, request) => answerOf(await writer.update(request))
export const patchObject: Operation = async ({ writer }, request) => answerOf(await writer.patch(request))
export const deleteObject: Operation = async ({ writer }, request) => answerOf(await writer.delete(request))

export const deleteCollection: Operation = async (deps, request): Promise<Answer> => {
  const command = deps.bodies.deleteOptions(request)
  const { versions, meta, warnings = [] } = await listed(deps, request)
  let sequence = 0
  for (let i = 0; i < versions.length; i += deleteConcurrency) {
    await Promise.all(
      versions.slice(i, i + deleteConcurrency).map(async ({ namespace, name }) => {
        try {
          const outcome = await deps.writer.deleteOne({ ...request, namespace, name }, command)
          sequence = Math.max(sequence, outcome.sequence)
        } catch (error) {
          // Somebody else deleted it first: the goal is reached.
          if (!(error instanceof ApiError) || error.status.reason !== 'NotFound') throw error
        }
      }),
    )
  }
  const deleted = success(200) as unknown as JsonObject
  return { kind: 'list', code: 200, versions, meta, deleted, sequence, warnings }
}
