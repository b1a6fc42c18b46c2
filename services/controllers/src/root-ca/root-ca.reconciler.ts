// Root CA: every namespace has the ConfigMap kube-root-ca.crt with the cluster's CA, recreated when deleted and set right
// when changed, so that pods can verify the API server.
import type { JsonObject } from '@shiplog/api/kube-object'
import { jsonEqual } from '@shiplog/api/patch/json-patch'
import { forResource, settled, watchesResource, type Reconciler } from '@shiplog/reconcile/reconciler'
import { keyOf } from '@shiplog/reconcile/view'
import { isBeingDeleted } from '../shared/ownership.ts'

export const rootCaConfigMapName = 'kube-root-ca.crt'
const descriptionAnnotation = 'kubernetes.io/description'
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.'

/** Creates the reconciler that publishes this CA (PEM). */
export function createRootCaReconciler(rootCa: string): Reconciler {
  const data: JsonObject = { 'ca.crt': rootCa }
  return {
    name: 'root-ca-certificate-publisher',
    component: 'root-ca-certificate-publisher-controller',
    resources: [
      forResource('namespaces'),
      watchesResource('configmaps', (change) =>
        change.name === rootCaConfigMapName ? [keyOf('', change.namespace)] : [],
      ),
    ],
    reconcile: (key, view) => {
      const namespace = view.get('namespaces', key)
      if (!namespace || isBeingDeleted(namespace)) return settled
      const home = namespace.metadata.name
      const address = { group: '', version: 'v1', resource: 'configmaps', namespace: home }
      const known = view.get('configmaps', keyOf(home, rootCaConfigMapName))
      if (!known) {
        const metadata = {
          name: rootCaConfigMapName,
          namespace: home,
          annotations: { [descriptionAnnotation]: description },
        }
        const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
        return { commands: [{ request: { verb: 'create', ...address, body } }] }
      }
      const annotated = known.metadata.annotations?.[descriptionAnnotation] === description
      if (isBeingDeleted(known) || (annotated && jsonEqual(known.data ?? {}, data))) return settled
      const annotations = { ...known.metadata.annotations, [descriptionAnnotation]: description }
      const body = { ...known, metadata: { ...known.metadata, annotations }, data }
      return { commands: [{ request: { verb: 'update', ...address, name: rootCaConfigMapName, body } }] }
    },
  }
}
