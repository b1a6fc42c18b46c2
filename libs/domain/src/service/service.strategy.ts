// Services: one stable address for many pods.
import { forbiddenField } from '@shiplog/api/field-errors'
import type { Service } from '@shiplog/api/generated/types/core-v1'
import type { Draft } from '@shiplog/api/decoded'
import { items, section } from '../fields.ts'
import { cidrWarnings, ipWarnings } from '../ip-addresses.ts'
import { loadBalancerWarnings, validateLoadBalancerIngress } from '../status-rules.ts'
import type { Strategy } from '../strategy.ts'
import { dns1123Label } from '../names.ts'
import { allocateService } from './service-allocation.ts'
import { mirrorClusterIp, prepareServiceForUpdate, setServiceDefaults } from './service-defaults.ts'
import { validateServiceUpdate } from './service-update-validation.ts'
import { validateService } from './service-validation.ts'

const serviceWarnings = ({ metadata, spec = {} }: Draft<Service>): string[] => {
  const { type, clusterIP } = spec
  const headless = type === 'ClusterIP' && clusterIP === 'None'
  const external = type === 'ExternalName'
  const ignored = (given: boolean, field: string): string[] =>
    headless && given ? [`spec.${field} is ignored for headless services`] : []
  const reached = items(spec.externalIPs)
  return [
    ...(metadata.annotations?.['service.kubernetes.io/topology-aware-hints'] === undefined
      ? []
      : [
          'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
        ]),
    ...(clusterIP && clusterIP !== 'None'
      ? items(spec.clusterIPs).flatMap((address, index) => ipWarnings(address, `spec.clusterIPs[${index}]`))
      : []),
    ...ignored(Boolean(spec.loadBalancerIP), 'loadBalancerIP'),
    ...ignored(reached.length > 0, 'externalIPs'),
    ...ignored(spec.sessionAffinity !== 'None', 'SessionAffinity'),
    ...reached.flatMap((address, index) => ipWarnings(address, `spec.externalIPs[${index}]`)),
    ...(reached.length > 0 && !headless && !external
      ? ['spec.externalIPs is deprecated and may no longer be implemented in some clusters']
      : []),
    ...(spec.loadBalancerIP ? ipWarnings(spec.loadBalancerIP, 'spec.loadBalancerIP') : []),
    ...items(spec.loadBalancerSourceRanges).flatMap((range, index) =>
      cidrWarnings(range, `spec.loadBalancerSourceRanges[${index}]`),
    ),
    ...(external && reached.length > 0 ? ['spec.externalIPs is ignored when spec.type is "ExternalName"'] : []),
    ...(!external && spec.externalName ? ['spec.externalName is ignored when spec.type is not "ExternalName"'] : []),
    ...(spec.trafficDistribution === 'PreferClose'
      ? ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']
      : []),
  ]
}

export const serviceStrategy: Strategy<Service> = {
  returnsDeleted: true,
  warnings: serviceWarnings,
  statusWarnings: loadBalancerWarnings,
  hasGeneration: false,
  allowCreateOnUpdate: true,
  validateName: dns1123Label,
  setDefaults: setServiceDefaults,
  prepareForCreate: (draft) => {
    mirrorClusterIp(section(draft, 'spec'))
    draft.status = { loadBalancer: {} }
  },
  prepareForUpdate: prepareServiceForUpdate,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: (next, before) =>
    next.spec?.type !== 'LoadBalancer' && items(next.status?.loadBalancer?.ingress).length > 0
      ? [forbiddenField('status.loadBalancer.ingress', "may only be used when `spec.type` is 'LoadBalancer'")]
      : validateLoadBalancerIngress(next, before, true),
  allocate: allocateService,
  selectableFields: (service) => ({
    'spec.clusterIP': service.spec?.clusterIP ?? '',
    'spec.type': service.spec?.type ?? '',
  }),
}
