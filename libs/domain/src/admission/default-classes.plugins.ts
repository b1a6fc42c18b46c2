// DefaultStorageClass and DefaultIngressClass: who names no class gets the one that is marked as the default.
import type { PersistentVolumeClaim } from '@shiplog/api/generated/types/core-v1'
import type { Ingress } from '@shiplog/api/generated/types/networking-v1'
import type { KubeObject } from '@shiplog/api/kube-object'
import { groupResourceOf } from '@shiplog/api/schema/schema'
import type { AdmissionAttributes, AdmissionPlugin, AdmissionView } from '../admission.ts'

/** The newest of those that are marked; by name when they are of one age. */
function defaultClass(view: AdmissionView, classes: string, marks: readonly string[]): KubeObject | undefined {
  const marked = view
    .list(classes)
    .filter(({ metadata }) => marks.some((mark) => metadata.annotations?.[mark] === 'true'))
  const age = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? '')
  return marked.toSorted((a, b) => age(b) - age(a) || (a.metadata.name < b.metadata.name ? -1 : 1))[0]
}

/** One without a spec is refused later on. */
const isOf = (groupResource: string, { group, resource, subresource, object }: AdmissionAttributes): boolean =>
  object !== undefined && 'spec' in object && subresource === '' && groupResourceOf(group, resource) === groupResource

export const defaultStorageClass: AdmissionPlugin = {
  name: 'DefaultStorageClass',
  admit(attributes, view) {
    if (attributes.operation !== 'CREATE' || !isOf('persistentvolumeclaims', attributes)) return
    const claim = attributes.object as unknown as PersistentVolumeClaim
    // '' is a class, too: none.
    if (claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined) return
    if (claim.spec.storageClassName !== undefined) return
    const marks = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']
    const found = defaultClass(view, 'storageclasses.storage.k8s.io', marks)
    if (found) claim.spec.storageClassName = found.metadata.name
  },
}

export const defaultIngressClass: AdmissionPlugin = {
  name: 'DefaultIngressClass',
  admit(attributes, view) {
    if (attributes.operation !== 'CREATE' || !isOf('ingresses.networking.k8s.io', attributes)) return
    const ingress = attributes.object as unknown as Ingress
    if (ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return
    if (ingress.spec.ingressClassName !== undefined) return
    const marks = ['ingressclass.kubernetes.io/is-default-class']
    const found = defaultClass(view, 'ingressclasses.networking.k8s.io', marks)
    if (found) ingress.spec.ingressClassName = found.metadata.name
  },
}
