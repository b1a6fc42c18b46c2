// ServiceAccounts: identities for pods. Nothing is defaulted and nothing is immutable.
import type { Strategy } from '../strategy.ts'

export const serviceAccountStrategy: Strategy = { hasGeneration: false, returnsDeleted: true }
