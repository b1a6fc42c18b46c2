// Tables of objects without a log: what projection-fed parts read and follow, in a test's hands.
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import { keyOf, ResourceTable, type StreamProjection } from '../store/projection.ts'
import { createView } from '../store/view.ts'
import type { Streams } from '../store/streams.ts'
import { Version } from '../store/version.ts'

export interface FakeTables {
  /** As much of one as an index needs. */
  readonly projection: StreamProjection
  readonly view: AdmissionView
  put(object: KubeObject): void
  remove(object: KubeObject): void
}

export const tableOf = ({ projection }: FakeTables, groupResource: string): ResourceTable =>
  projection.table(groupResource)

export function createFakeTables(objects: readonly KubeObject[]): FakeTables {
  const registry = builtInRegistry()
  const tables = new Map<string, ResourceTable>()
  const table = (groupResource: string): ResourceTable => {
    const known = tables.get(groupResource) ?? new ResourceTable(groupResource)
    tables.set(groupResource, known)
    return known
  }
  let sequence = 0
  const change = (object: KubeObject, deleted: boolean): void => {
    const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion]
    const resource = registry.byKind(group!, version!, object.kind)!
    const { namespace = '', name } = object.metadata
    const one = table(groupResourceOf(resource.storageGroup, resource.resource))
    const key = keyOf(namespace, name)
    const versioned = new Version({
      ...{ key, namespace, name, sequence: ++sequence, timeMs: 0, deleted, previousSequence: 0, checksum: '' },
      ...{ bytes: Buffer.from(JSON.stringify(object)), previous: undefined },
    })
    if (deleted) one.remove(key)
    else one.put(versioned)
    for (const listener of one.listeners) listener([versioned], sequence)
  }
  const projection = { table } as unknown as StreamProjection
  const streams = { of: () => ({ projection }) } as unknown as Streams
  for (const object of objects) change(object, false)
  return {
    projection,
    view: createView(streams),
    put: (object) => change(object, false),
    remove: (object) => change(object, true),
  }
}
