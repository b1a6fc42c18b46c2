// Requests of a script, short to write.
import type { ApiRequest } from '@shiplog/api/api-client'
import type { JsonObject } from '@shiplog/api/kube-object'
import { splitGroupResource } from '@shiplog/api/schema/schema'

const mergePatch = 'application/merge-patch+json' as const

interface Place {
  readonly name: string
  readonly namespace?: string
}

const placed = (groupResource: string, { name, namespace }: Place) => ({
  ...splitGroupResource(groupResource),
  name,
  ...(namespace === undefined ? {} : { namespace }),
})

export function create(groupResource: string, object: JsonObject): ApiRequest {
  const { namespace } = object['metadata'] as unknown as Place
  return {
    verb: 'create',
    ...splitGroupResource(groupResource),
    ...(namespace === undefined ? {} : { namespace }),
    body: object,
  }
}

export const patch = (groupResource: string, place: Place, body: JsonObject, subresource?: string): ApiRequest => ({
  verb: 'patch',
  ...placed(groupResource, place),
  patchType: mergePatch,
  body,
  ...(subresource === undefined ? {} : { subresource }),
})

export const remove = (groupResource: string, place: Place): ApiRequest => ({
  verb: 'delete',
  ...placed(groupResource, place),
  body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 },
})
