// Which rule of a Job's podFailurePolicy a failed pod meets, and what follows from it. The first rule that matches counts.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'

export interface PodFailureVerdict {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count'
  /** Whether the failure counts towards the limits. */
  readonly isCounted: boolean
  /** Why the Job fails, with FailJob. */
  readonly message: string | undefined
}

const noRule: PodFailureVerdict = { action: 'Count', isCounted: true, message: undefined }

function codeMatches(code: number, { operator, values }: JsonObject): boolean {
  const isListed = (values as readonly number[]).includes(code)
  return operator === 'In' ? isListed : operator === 'NotIn' ? !isListed : false
}

/** The status of a container that ended in failure with such a code; init containers are looked at last. */
function containerWithCode(pod: KubeObject, wanted: JsonObject): JsonObject | undefined {
  const statuses = [
    ...((pod['status']?.containerStatuses ?? []) as JsonObject[]),
    ...((pod['status']?.initContainerStatuses ?? []) as JsonObject[]),
  ]
  return statuses.find((status) => {
    const code = status['state']?.terminated?.exitCode as number | undefined
    if (code === undefined || code === 0) return false
    const { containerName } = wanted as { containerName?: string | null }
    if (containerName !== undefined && containerName !== null && containerName !== status['name']) return false
    return codeMatches(code, wanted)
  })
}

function conditionOf(pod: KubeObject, wanted: readonly JsonObject[]): JsonObject | undefined {
  const conditions = (pod['status']?.conditions ?? []) as JsonObject[]
  return conditions.find(({ type, status }) =>
    wanted.some((pattern) => pattern['type'] === type && (pattern['status'] ?? 'True') === status),
  )
}

/** Why the rule matches, in upstream's words; undefined when it does not. */
function matchOf(rule: JsonObject, pod: KubeObject): string | undefined {
  const { namespace, name } = pod.metadata
  if (rule['onExitCodes']) {
    const status = containerWithCode(pod, rule['onExitCodes'])
    return status
      ? `Container ${status['name']} for pod ${namespace}/${name} failed with exit code ${status['state'].terminated.exitCode}`
      : undefined
  }
  const condition = conditionOf(pod, (rule['onPodConditions'] ?? []) as JsonObject[])
  return condition ? `Pod ${namespace}/${name} has condition ${condition['type']}` : undefined
}

/** What the Job's policy says about a failed pod; without a policy, or a rule that matches, the failure counts. */
export function judgeFailure(job: KubeObject, pod: KubeObject): PodFailureVerdict {
  const rules = (job['spec'].podFailurePolicy?.rules ?? []) as JsonObject[]
  for (const [index, rule] of rules.entries()) {
    const match = matchOf(rule, pod)
    if (match === undefined) continue
    const action = rule['action'] as PodFailureVerdict['action']
    return {
      action,
      isCounted: action !== 'Ignore',
      message: action === 'FailJob' ? `${match} matching ${action} rule at index ${index}` : undefined,
    }
  }
  return noRule
}
