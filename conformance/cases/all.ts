// All cases, in the order of the topics.
import type { Case } from '../src/case.ts'
import { applyCases } from './apply.ts'
import { autoscalingCases } from './autoscaling.ts'
import { createCases } from './create.ts'
import { customResourceCases } from './custom-resources.ts'
import { deleteCases } from './delete.ts'
import { featureCases } from './features.ts'
import { describeCases, getCases, watchCases } from './get.ts'
import { helmCases } from './helm.ts'
import { identityCases } from './identity.ts'
import { limitsCases } from './limits.ts'
import { modifyCases } from './modify.ts'
import { rolloutCases, waitCases } from './rollout.ts'
import { serverCases } from './server.ts'
import { setCases } from './sets.ts'
import { workloadCases } from './workloads.ts'

export const allCases: readonly Case[] = [
  ...serverCases,
  ...identityCases,
  ...limitsCases,
  ...createCases,
  ...applyCases,
  ...getCases,
  ...watchCases,
  ...describeCases,
  ...modifyCases,
  ...deleteCases,
  ...rolloutCases,
  ...waitCases,
  ...workloadCases,
  ...autoscalingCases,
  ...setCases,
  ...helmCases,
  ...featureCases,
  ...customResourceCases,
]
