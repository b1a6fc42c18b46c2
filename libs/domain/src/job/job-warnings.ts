// What is accepted of a job, also inside a CronJob, and is most likely a mistake.
import type { JobSpec } from '@shiplog/api/generated/types/batch-v1'
import type { Decoded } from '@shiplog/api/decoded'
import type { ObjectMeta } from '@shiplog/api/kube-object'
import { templateWarnings } from '../pod/pod-warnings.ts'

const completionsMax = 100_000
const parallelismMax = 10_000
const tooMany =
  'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail'

export const jobWarnings = <Kind extends { readonly metadata: ObjectMeta }>(
  specOf: (object: Kind) => Decoded<JobSpec> | undefined,
  field: string,
) => {
  const ofTemplate = templateWarnings((object: Kind) => specOf(object)?.template, `${field}.template`)
  return (next: Kind, before: Kind | undefined): string[] => {
    const { completionMode, completions = 0, parallelism = 0 } = specOf(next) ?? {}
    const moved = !before || before.metadata.generation !== next.metadata.generation
    const huge = completionMode === 'Indexed' && completions > completionsMax && parallelism > parallelismMax
    return [...(moved && huge ? [`${field}: ${tooMany}`] : []), ...ofTemplate(next, before)]
  }
}
