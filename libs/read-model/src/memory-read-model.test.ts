// The twin in memory keeps the contract of the port.
import { createMemoryReadModel, createMemoryTables, type MemoryVersion } from './memory-read-model.ts'
import { readModelContract, shaOf } from './read-model.contract.ts'

let tables = createMemoryTables()

const place = ({ groupResource, namespace, name }: MemoryVersion): string => `${groupResource} ${namespace}/${name}`

readModelContract('in memory', {
  open: () => Promise.resolve(),
  dispose: () => Promise.resolve(),
  model: () => createMemoryReadModel(tables),
  clear: async () => {
    tables = createMemoryTables()
  },
  moveBehindItsBack: async (stream, position) => {
    tables.positions.get(stream)!.position = position
  },
  look: async () => ({
    positions: [...tables.positions].map(([stream, { position }]) => `${stream} ${position}`).sort(),
    versions: [...tables.versions.values()].map(
      (one) => `${one.stream} ${one.sequence} ${place(one)} ${one.type} ${one.deleted ? '-' : ''}${shaOf(one.payload)}`,
    ),
    objects: [...tables.objects.values()].map((one) => `${place(one)} ${one.sequence}`).sort(),
    completeUntilMs: tables.positions.get('events')?.completeUntilMs,
  }),
})
