// Objects as people read them: YAML, without the field managers' notes unless they are asked for.
import { dump } from 'js-yaml'
import type { AnyObject } from './actions.ts'

export function yamlOf(object: AnyObject, { managed = false }: { managed?: boolean } = {}): string {
  const shown = managed ? object : { ...object, metadata: { ...object.metadata, managedFields: undefined } }
  // In the order of kubectl: of two versions of an object only what differs is different.
  return dump(shown, { lineWidth: -1, noRefs: true, skipInvalid: true, sortKeys: true })
}
