// Certificate signing requests: what is asked for never changes, and each part of the status has its own subresource.
import type { KubeObject } from '@shiplog/api/kube-object'
import type { Strategy } from '../strategy.ts'

/** `approval` writes conditions, and nothing else. */
const prepareForSubresource = (draft: KubeObject, before: KubeObject, subresource: string): void => {
  if (subresource !== 'approval') return
  const conditions = draft['status']?.conditions
  draft['spec'] = before['spec']
  draft['status'] = { ...before['status'], ...(conditions ? { conditions } : {}) }
}

export const certificateSigningRequestStrategy: Strategy = {
  hasGeneration: false,
  prepareForUpdate: (draft, before) => {
    draft['spec'] = before['spec']
    draft['status'] = before['status']
  },
  prepareForSubresource,
}
