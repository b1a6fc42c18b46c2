// Services: one stable address for many pods.
import type { Strategy } from '../strategy.ts'
import { dns1123Label } from '../names.ts'
import { allocateService } from './service-allocation.ts'
import { prepareServiceForUpdate, setServiceDefaults } from './service-defaults.ts'
import { validateService, validateServiceUpdate } from './service-validation.ts'

export const serviceStrategy: Strategy = {
  hasGeneration: false,
  allowCreateOnUpdate: true,
  validateName: dns1123Label,
  setDefaults: setServiceDefaults,
  prepareForCreate: (draft) => {
    draft['status'] = { loadBalancer: {} }
  },
  prepareForUpdate: prepareServiceForUpdate,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  allocate: allocateService,
  selectableFieldNames: ['spec.clusterIP', 'spec.type'],
  selectableFields: (service) => ({
    'spec.clusterIP': service['spec']?.clusterIP ?? '',
    'spec.type': service['spec']?.type ?? '',
  }),
}
