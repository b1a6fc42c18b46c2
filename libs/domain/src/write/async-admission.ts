// Admission that waits for others: webhooks, and policies that ask somebody. It runs outside every lock, before the decision
// (mutate) and after it (validate); what it took into account is checked again by the append's compare-and-set.
import type { AdmissionAttributes } from '../admission.ts'

export interface AsyncAdmissionPlugin {
  readonly name: string
  /** Whether it has a say in such a write; it waits for nobody. `object` and `before` may be missing at this point. */
  handles(attributes: Omit<AdmissionAttributes, 'object' | 'before' | 'name'>): boolean
  /** Changes the draft, or refuses by throwing ApiError. May run several times for one write. */
  mutate?(attributes: AdmissionAttributes): Promise<void>
  /** Refuses by throwing ApiError; resolves with warnings for the client. */
  validate?(attributes: AdmissionAttributes): Promise<readonly string[]>
}
