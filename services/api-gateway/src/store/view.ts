// What admission, authentication and authorization may look at: parsed objects of the projection, kept parsed because the
// same namespaces, service accounts and bindings are asked for on every write.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { AdmissionView } from '@shiplog/domain/admission'
import { keyOf } from './projection.ts'
import type { Streams } from './streams.ts'
import type { Version } from './version.ts'

export function createView(streams: Streams): AdmissionView {
  const parsed = new WeakMap<Version, KubeObject>()
  const parse = (version: Version): KubeObject => {
    let object = parsed.get(version)
    if (!object) {
      object = version.parse()
      parsed.set(version, object)
    }
    return object
  }
  return {
    get(groupResource, namespace, name) {
      const version = streams.of(groupResource).projection.table(groupResource).current.get(keyOf(namespace, name))
      return version && parse(version)
    },
    list(groupResource, namespace = '') {
      return streams.of(groupResource).projection.table(groupResource).list(namespace).map(parse)
    },
  }
}
