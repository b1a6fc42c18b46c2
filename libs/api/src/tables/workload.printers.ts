// The tables of the kinds that run pods: deployments, replica sets, stateful and daemon sets, jobs and their templates.
import type { JsonObject, KubeObject } from '../kube-object.ts'
import {
  age,
  ageColumn,
  column,
  conditionStatus,
  containerCells,
  containerColumns,
  formatLabels,
  formatSelector,
  nameColumn,
  printer,
  selectorColumn,
  selectorText,
} from './columns.ts'
import { ageOf, humanDuration } from './human-duration.ts'

const templateCells = (object: KubeObject): [string, string] => containerCells(object['spec']?.template?.spec)

const replicaColumns = [
  nameColumn,
  column('Desired', 'How many pods are wanted.', 'integer'),
  column('Current', 'How many pods there are.', 'integer'),
  column('Ready', 'How many pods are ready.', 'integer'),
  ageColumn,
  ...containerColumns,
  selectorColumn,
]

const replicaCells = (object: KubeObject, nowMs: number, selector: string) => [
  object.metadata.name,
  object['spec']?.replicas ?? 0,
  object['status']?.replicas ?? 0,
  object['status']?.readyReplicas ?? 0,
  age(object, nowMs),
  ...templateCells(object),
  selector,
]

export const replicaSetPrinter = printer(replicaColumns, (object, nowMs) =>
  replicaCells(object, nowMs, formatSelector(object['spec']?.selector)),
)

export const replicationControllerPrinter = printer(replicaColumns, (object, nowMs) =>
  replicaCells(object, nowMs, formatLabels(object['spec']?.selector)),
)

export const deploymentPrinter = printer(
  [
    nameColumn,
    column('Ready', 'Ready pods of wanted pods.'),
    column('Up-to-date', 'How many pods have the present template.'),
    column('Available', 'How many pods have been ready for long enough.'),
    ageColumn,
    ...containerColumns,
    selectorColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    `${object['status']?.readyReplicas ?? 0}/${object['spec']?.replicas ?? 0}`,
    object['status']?.updatedReplicas ?? 0,
    object['status']?.availableReplicas ?? 0,
    age(object, nowMs),
    ...templateCells(object),
    selectorText(object['spec']?.selector),
  ],
)

export const statefulSetPrinter = printer(
  [nameColumn, column('Ready', 'Ready pods of wanted pods.'), ageColumn, ...containerColumns],
  (object, nowMs) => [
    object.metadata.name,
    `${object['status']?.readyReplicas ?? 0}/${object['spec']?.replicas ?? 0}`,
    age(object, nowMs),
    ...templateCells(object),
  ],
)

export const daemonSetPrinter = printer(
  [
    nameColumn,
    column('Desired', 'How many nodes should run a pod.', 'integer'),
    column('Current', 'How many nodes that should run a pod have one.', 'integer'),
    column('Ready', 'How many nodes have a ready pod.', 'integer'),
    column('Up-to-date', 'How many nodes run a pod of the present template.', 'integer'),
    column('Available', 'How many nodes have a pod that has been ready for long enough.', 'integer'),
    column('Node Selector', 'The labels that a node must have.'),
    ageColumn,
    ...containerColumns,
    selectorColumn,
  ],
  (object, nowMs) => {
    const status: JsonObject = object['status'] ?? {}
    return [
      object.metadata.name,
      status['desiredNumberScheduled'] ?? 0,
      status['currentNumberScheduled'] ?? 0,
      status['numberReady'] ?? 0,
      status['updatedNumberScheduled'] ?? 0,
      status['numberAvailable'] ?? 0,
      formatLabels(object['spec']?.template?.spec?.nodeSelector),
      age(object, nowMs),
      ...templateCells(object),
      formatSelector(object['spec']?.selector),
    ]
  },
)

function jobStatus(job: KubeObject): string {
  if (conditionStatus(job, 'Complete') === 'True') return 'Complete'
  if (conditionStatus(job, 'Failed') === 'True') return 'Failed'
  if (job.metadata.deletionTimestamp) return 'Terminating'
  if (conditionStatus(job, 'Suspended') === 'True') return 'Suspended'
  if (conditionStatus(job, 'FailureTarget') === 'True') return 'FailureTarget'
  return 'Running'
}

function jobCompletions(job: KubeObject): string {
  const succeeded = job['status']?.succeeded ?? 0
  const { completions, parallelism } = (job['spec'] ?? {}) as JsonObject
  if (completions !== undefined && completions !== null) return `${succeeded}/${completions}`
  return (parallelism ?? 0) > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

function jobDuration(job: KubeObject, nowMs: number): string {
  const { startTime, completionTime } = (job['status'] ?? {}) as JsonObject
  if (!startTime) return ''
  return humanDuration((completionTime ? Date.parse(completionTime) : nowMs) - Date.parse(startTime))
}

export const jobPrinter = printer(
  [
    nameColumn,
    column('Status', 'How the job stands.'),
    column('Completions', 'Pods that succeeded, of those that must.'),
    column('Duration', 'How long the job has run, or ran.'),
    ageColumn,
    ...containerColumns,
    selectorColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    jobStatus(object),
    jobCompletions(object),
    jobDuration(object, nowMs),
    age(object, nowMs),
    ...templateCells(object),
    formatSelector(object['spec']?.selector),
  ],
)

export const cronJobPrinter = printer(
  [
    nameColumn,
    column('Schedule', 'When jobs are started, in the format of cron.'),
    column('Timezone', 'The time zone in which the schedule is read.'),
    column('Suspend', 'Whether no further jobs are started.', 'boolean'),
    column('Active', 'How many jobs run now.', 'integer'),
    column('Last Schedule', 'How long ago a job was last started.'),
    ageColumn,
    ...containerColumns,
    selectorColumn,
  ],
  (object, nowMs) => {
    const spec: JsonObject = object['spec'] ?? {}
    const { active, lastScheduleTime } = (object['status'] ?? {}) as JsonObject
    const suspend = spec['suspend']
    return [
      object.metadata.name,
      spec['schedule'] ?? '',
      spec['timeZone'] ?? '<none>',
      suspend === undefined || suspend === null ? '<unset>' : suspend ? 'True' : 'False',
      active?.length ?? 0,
      lastScheduleTime ? ageOf(lastScheduleTime, nowMs) : '<none>',
      age(object, nowMs),
      ...containerCells(spec['jobTemplate']?.spec?.template?.spec),
      formatSelector(spec['jobTemplate']?.spec?.selector),
    ]
  },
)

export const podTemplatePrinter = printer(
  [
    nameColumn,
    ...containerColumns.map((shown) => ({ ...shown, priority: 0 })),
    column('Pod Labels', 'The labels that pods of this template get.'),
  ],
  (object) => [
    object.metadata.name,
    ...containerCells(object['template']?.spec),
    formatLabels(object['template']?.metadata?.labels),
  ],
)

export const controllerRevisionPrinter = printer(
  [
    nameColumn,
    column('Controller', 'The object whose past this is.'),
    column('Revision', 'The number of this revision.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const owner = object.metadata.ownerReferences?.find((reference) => reference.controller)
    const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''
    return [
      object.metadata.name,
      owner ? `${`${owner.kind}${group}`.toLowerCase()}/${owner.name}` : '<none>',
      object['revision'] ?? 0,
      age(object, nowMs),
    ]
  },
)

export const podDisruptionBudgetPrinter = printer(
  [
    nameColumn,
    column('Min Available', 'How many pods must stay available.'),
    column('Max Unavailable', 'How many pods may be unavailable.'),
    column('Allowed Disruptions', 'How many pods may be disrupted now.', 'integer'),
    ageColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    String(object['spec']?.minAvailable ?? 'N/A'),
    String(object['spec']?.maxUnavailable ?? 'N/A'),
    object['status']?.disruptionsAllowed ?? 0,
    age(object, nowMs),
  ],
)

/** The autoscaling/v1 Scale, which `kubectl get --subresource=scale` shows. */
export const scalePrinter = printer(
  [
    { ...nameColumn, format: '' },
    column('Desired', 'How many replicas are wanted.', 'integer'),
    column('Available', 'How many replicas there are.', 'integer'),
    ageColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.replicas ?? 0,
    object['status']?.replicas ?? 0,
    age(object, nowMs),
  ],
)

export const priorityClassPrinter = printer(
  [
    nameColumn,
    column('Value', 'The priority that pods of this class get.', 'integer'),
    column('Global-Default', 'Whether pods that name no class get this one.', 'boolean'),
    ageColumn,
    column('PreemptionPolicy', 'Whether pods of this class may displace others.'),
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['value'] ?? 0,
    object['globalDefault'] ?? false,
    age(object, nowMs),
    object['preemptionPolicy'] ?? '',
  ],
)

export const runtimeClassPrinter = printer(
  [nameColumn, column('Handler', 'The configuration of the container runtime that is used.'), ageColumn],
  (object, nowMs) => [object.metadata.name, object['handler'] ?? '', age(object, nowMs)],
)

export const podGroupPrinter = printer(
  [
    nameColumn,
    column('Policy', 'How the pods of the group are scheduled.'),
    column('Workload', 'Name of the referenced Workload object'),
    column('Status', 'Status of the PodGroup'),
    ageColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.schedulingPolicy?.gang ? 'Gang' : 'Basic',
    String(object['spec']?.podGroupTemplateRef?.workload?.workloadName ?? '<none>'),
    podGroupStatus(object),
    age(object, nowMs),
  ],
)

function podGroupStatus(object: KubeObject): string {
  const conditions: readonly { type: string; status: string; reason?: string }[] = object['status']?.conditions ?? []
  const disrupted = conditions.findLast(({ type }) => type === 'DisruptionTarget')
  if (disrupted) return disrupted.reason ?? ''
  const scheduled = conditions.findLast(({ type }) => type === 'PodGroupScheduled')
  if (scheduled === undefined) return 'Pending'
  return scheduled.status === 'True' ? 'Scheduled' : 'Unschedulable'
}
