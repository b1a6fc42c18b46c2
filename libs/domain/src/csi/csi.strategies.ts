// The kinds by which storage drivers make themselves known, and attachments of volumes to nodes.
import { fill, immutable, items, section } from '../fields.ts'
import type { Strategy } from '../strategy.ts'

const fixedDriverFields = ['attachRequired', 'fsGroupPolicy', 'volumeLifecycleModes']

export const csiDriverStrategy: Strategy = {
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  warnings: ({ spec }, before) =>
    !before && items(spec?.tokenRequests).length > 0 && (spec?.serviceAccountTokenInSecrets ?? null) === null
      ? [
          'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
        ]
      : [],
  hasGeneration: false,
  setDefaults: (draft) => {
    const spec = section(draft, 'spec')
    fill(spec, 'attachRequired', true)
    fill(spec, 'podInfoOnMount', false)
    fill(spec, 'storageCapacity', false)
    fill(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType')
    if (items(spec['volumeLifecycleModes']).length === 0) spec['volumeLifecycleModes'] = ['Persistent']
    fill(spec, 'requiresRepublish', false)
    fill(spec, 'seLinuxMount', false)
  },
  validateUpdate: (next, before) =>
    fixedDriverFields.flatMap((key) => immutable(next['spec']?.[key], before['spec']?.[key], `spec.${key}`)),
}

export const volumeAttachmentStrategy: Strategy = {
  returnsDeleted: true,
  allowUnconditionalUpdate: false,
  hasGeneration: false,
  prepareForCreate: (draft) => {
    draft['status'] = { attached: false }
  },
  validateUpdate: (next, before) => immutable(next['spec'], before['spec'], 'spec'),
}
