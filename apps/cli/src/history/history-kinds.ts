// The kinds that a log knows: those of the build, and all that were ever defined in it. A kind that is gone still has a past.
import type { KubeObject } from '@shiplog/api/kube-object'
import { splitGroupResource } from '@shiplog/api/schema/schema'
import { builtInCatalogue, type Catalogue, definitionsResource, withDefinitions } from '@shiplog/domain/catalogue/catalogue'
import type { StoredDefinition } from '@shiplog/domain/custom-resource/custom-definition'
import { resourceFilter } from '@shiplog/events/subjects'
import { contentOf, isDamaged } from '@shiplog/feed/history/past-records'
import type { HistorySource } from './history-source.ts'

export async function kindsOf(source: Pick<HistorySource, 'read' | 'codec'>): Promise<Catalogue> {
  const { group, resource } = splitGroupResource(definitionsResource)
  const last = new Map<string, StoredDefinition>()
  for await (const records of source.read({ subjects: [resourceFilter(group, resource)] })) {
    for (const one of records) {
      const content = isDamaged(one) ? undefined : contentOf(source.codec, one)
      if (content === undefined || isDamaged(one)) continue
      const { name } = (content as KubeObject).metadata
      last.set(name, { name, sequence: one.record.sequence, parse: () => content as KubeObject })
    }
  }
  return withDefinitions(builtInCatalogue(), last.values())
}
