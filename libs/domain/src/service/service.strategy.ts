// Services: one stable address for many pods.
import type { KubeObject } from '@shiplog/api/kube-object'
import { items, section } from '../fields.ts'
import type { Strategy } from '../strategy.ts'
import { dns1123Label } from '../names.ts'
import { allocateService } from './service-allocation.ts'
import { mirrorClusterIp, prepareServiceForUpdate, setServiceDefaults } from './service-defaults.ts'
import { validateService, validateServiceUpdate } from './service-validation.ts'

const serviceWarnings = ({ spec }: KubeObject): string[] => [
  ...(items(spec?.externalIPs).length > 0
    ? ['spec.externalIPs is deprecated and may no longer be implemented in some clusters']
    : []),
  ...(spec?.trafficDistribution === 'PreferClose'
    ? ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']
    : []),
]

export const serviceStrategy: Strategy = {
  returnsDeleted: true,
  warnings: serviceWarnings,
  hasGeneration: false,
  allowCreateOnUpdate: true,
  validateName: dns1123Label,
  setDefaults: setServiceDefaults,
  prepareForCreate: (draft) => {
    mirrorClusterIp(section(draft, 'spec'))
    draft['status'] = { loadBalancer: {} }
  },
  prepareForUpdate: prepareServiceForUpdate,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  allocate: allocateService,
  selectableFields: (service) => ({
    'spec.clusterIP': service['spec']?.clusterIP ?? '',
    'spec.type': service['spec']?.type ?? '',
  }),
}
