// Which rule of a Job's podFailurePolicy a failed pod meets, and what follows from it. The first rule that matches counts.
import type {
  Job,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
} from '@shiplog/api/generated/types/batch-v1'
import type { ContainerStatus, Pod, PodCondition } from '@shiplog/api/generated/types/core-v1'

export interface PodFailureVerdict {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count'
  /** Whether the failure counts towards the limits. */
  readonly isCounted: boolean
  /** Why the Job fails, with FailJob. */
  readonly message: string | undefined
}

const noRule: PodFailureVerdict = { action: 'Count', isCounted: true, message: undefined }

function codeMatches(code: number, { operator, values }: PodFailurePolicyOnExitCodesRequirement): boolean {
  const isListed = values?.includes(code) ?? false
  return operator === 'In' ? isListed : operator === 'NotIn' ? !isListed : false
}

/** The status of a container that ended in failure with such a code; init containers are looked at last. */
function containerWithCode(pod: Pod, wanted: PodFailurePolicyOnExitCodesRequirement): ContainerStatus | undefined {
  const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])]
  return statuses.find((status) => {
    const code = status.state?.terminated?.exitCode
    if (code === undefined || code === 0) return false
    const { containerName } = wanted
    if (containerName !== undefined && containerName !== status.name) return false
    return codeMatches(code, wanted)
  })
}

function conditionOf(pod: Pod, wanted: readonly PodFailurePolicyOnPodConditionsPattern[]): PodCondition | undefined {
  const conditions = pod.status.conditions ?? []
  return conditions.find(({ type, status }) =>
    wanted.some((pattern) => pattern.type === type && (pattern.status ?? 'True') === status),
  )
}

/** Why the rule matches, in upstream's words; undefined when it does not. */
function matchOf(rule: PodFailurePolicyRule, pod: Pod): string | undefined {
  const { namespace, name } = pod.metadata
  if (rule.onExitCodes) {
    const status = containerWithCode(pod, rule.onExitCodes)
    return status
      ? `Container ${status.name} for pod ${namespace}/${name} failed with exit code ${status.state?.terminated?.exitCode}`
      : undefined
  }
  const condition = conditionOf(pod, rule.onPodConditions ?? [])
  return condition ? `Pod ${namespace}/${name} has condition ${condition.type}` : undefined
}

/** What the Job's policy says about a failed pod; without a policy, or a rule that matches, the failure counts. */
export function judgeFailure(job: Job, pod: Pod): PodFailureVerdict {
  const rules = job.spec.podFailurePolicy?.rules ?? []
  for (const [index, rule] of rules.entries()) {
    const match = matchOf(rule, pod)
    if (match === undefined) continue
    const action = rule.action as PodFailureVerdict['action']
    return {
      action,
      isCounted: action !== 'Ignore',
      message: action === 'FailJob' ? `${match} matching ${action} rule at index ${index}` : undefined,
    }
  }
  return noRule
}
