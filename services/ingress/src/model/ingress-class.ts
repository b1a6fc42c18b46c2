// Which Ingresses are ours: those of a class whose controller this is. Pure.
import type { Ingress, IngressClass } from '@shiplog/api/generated/types/networking-v1'

/** What an IngressClass says of whom it is for. */
export const controllerName = 'shiplog.dev/ingress'
/** How classes were named before spec.ingressClassName. */
const classAnnotation = 'kubernetes.io/ingress.class'

export const classNameOf = ({ metadata, spec }: Ingress): string | undefined =>
  spec.ingressClassName ?? metadata.annotations?.[classAnnotation]

export const isOurClass = (found: IngressClass | undefined): boolean => found?.spec?.controller === controllerName
