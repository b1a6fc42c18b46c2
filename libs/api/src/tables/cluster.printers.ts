// The tables of nodes, namespaces, configuration and identity: what a cluster is made of besides its workloads.
import type { JsonObject, KubeObject } from '../kube-object.ts'
import { age, ageColumn, column, conditionStatus, nameColumn, printer, wide } from './columns.ts'
import { ageOf, humanDuration } from './human-duration.ts'

const count = (value: object | null | undefined): number => Object.keys(value ?? {}).length

const rolePrefix = 'node-role.kubernetes.io/'

function nodeRoles(node: KubeObject): string {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length))
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return [...roles].sort().join(',') || '<none>'
}

function nodeStatus(node: KubeObject): string {
  const ready = conditionStatus(node, 'Ready')
  const status = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady'
  return node['spec']?.unschedulable ? `${status},SchedulingDisabled` : status
}

const nodeAddress = (node: KubeObject, type: string): string =>
  (node['status']?.addresses as JsonObject[] | undefined)?.find((address) => address['type'] === type)?.['address'] ??
  '<none>'

export const nodePrinter = printer(
  [
    nameColumn,
    column('Status', 'Whether the node is ready, and whether it takes new pods.'),
    column('Roles', 'The roles that labels give the node.'),
    ageColumn,
    column('Version', 'The version of the kubelet.'),
    wide('Internal-IP', 'The address inside the cluster.'),
    wide('External-IP', 'The address outside the cluster.'),
    wide('OS-Image', 'The operating system, as it names itself.'),
    wide('Kernel-Version', 'The version of the kernel.'),
    wide('Container-Runtime', 'The container runtime and its version.'),
  ],
  (object, nowMs) => {
    const info: JsonObject = object['status']?.nodeInfo ?? {}
    return [
      object.metadata.name,
      nodeStatus(object),
      nodeRoles(object),
      age(object, nowMs),
      info['kubeletVersion'] ?? '',
      nodeAddress(object, 'InternalIP'),
      nodeAddress(object, 'ExternalIP'),
      info['osImage'] || '<unknown>',
      info['kernelVersion'] || '<unknown>',
      info['containerRuntimeVersion'] || '<unknown>',
    ]
  },
)

export const namespacePrinter = printer(
  [nameColumn, column('Status', 'Whether the namespace is active or being deleted.'), ageColumn],
  (object, nowMs) => [object.metadata.name, object['status']?.phase ?? '', age(object, nowMs)],
)

export const configMapPrinter = printer(
  [nameColumn, column('Data', 'How many entries it holds.'), ageColumn],
  (object, nowMs) => [object.metadata.name, count(object['data']) + count(object['binaryData']), age(object, nowMs)],
)

export const secretPrinter = printer(
  [nameColumn, column('Type', 'What the secret is for.'), column('Data', 'How many entries it holds.'), ageColumn],
  (object, nowMs) => [object.metadata.name, object['type'] ?? '', count(object['data']), age(object, nowMs)],
)

export const serviceAccountPrinter = printer([nameColumn, ageColumn], (object, nowMs) => [
  object.metadata.name,
  age(object, nowMs),
])

const eventSource = (event: KubeObject): string => {
  const component = event['source']?.component || event['reportingComponent'] || event['reportingController'] || ''
  const instance = event['source']?.host || event['reportingInstance'] || ''
  return instance === '' ? component : `${component}, ${instance}`
}

/** Event objects of core/v1, and of events.k8s.io/v1 whose fields have other names. */
export const eventPrinter = printer(
  [
    column('Last Seen', 'How long ago it last happened.'),
    column('Type', 'Normal or Warning.'),
    column('Reason', 'Why it happened, in one word.'),
    column('Object', 'The object that it happened to.'),
    wide('Subobject', 'The part of the object that it happened to.'),
    wide('Source', 'The component that reports it.'),
    column('Message', 'What happened, in a sentence.'),
    wide('First Seen', 'How long ago it first happened.'),
    wide('Count', 'How often it happened.'),
    { ...nameColumn, priority: 1 },
  ],
  (object, nowMs) => {
    const first = object['firstTimestamp'] ?? object['deprecatedFirstTimestamp']
    const last = object['lastTimestamp'] ?? object['deprecatedLastTimestamp']
    const firstSeen = ageOf(first || object['eventTime'], nowMs)
    const series: JsonObject | undefined = object['series'] ?? undefined
    const involved: JsonObject = object['involvedObject'] ?? object['regarding'] ?? {}
    const kind = String(involved['kind'] ?? '').toLowerCase()
    return [
      series ? ageOf(series['lastObservedTime'], nowMs) : last ? ageOf(last, nowMs) : firstSeen,
      object['type'] ?? '',
      object['reason'] ?? '',
      involved['name'] ? `${kind}/${involved['name']}` : kind,
      involved['fieldPath'] ?? '',
      eventSource(object),
      String(object['message'] ?? object['note'] ?? '').trim(),
      firstSeen,
      series ? (series['count'] ?? 0) : object['count'] || object['deprecatedCount'] || 1,
      object.metadata.name,
    ]
  },
)

function subjectNames(subjects: readonly JsonObject[] | undefined, kind: string): string {
  return (subjects ?? [])
    .filter((subject) => subject['kind'] === kind)
    .map((subject) =>
      kind === 'ServiceAccount'
        ? subject['namespace']
          ? `${subject['namespace']}/${subject['name']}`
          : subject['name']
        : subject['name'],
    )
    .join(', ')
}

/** RoleBindings and ClusterRoleBindings. */
export const roleBindingPrinter = printer(
  [
    nameColumn,
    column('Role', 'The role that is granted.'),
    ageColumn,
    wide('Users', 'The users who get it.'),
    wide('Groups', 'The groups that get it.'),
    wide('ServiceAccounts', 'The service accounts that get it.'),
  ],
  (object, nowMs) => [
    object.metadata.name,
    `${object['roleRef']?.kind ?? ''}/${object['roleRef']?.name ?? ''}`,
    age(object, nowMs),
    subjectNames(object['subjects'], 'User'),
    subjectNames(object['subjects'], 'Group'),
    subjectNames(object['subjects'], 'ServiceAccount'),
  ],
)

function requestCondition(request: KubeObject): string {
  const types = new Set(((request['status']?.conditions ?? []) as JsonObject[]).map((condition) => condition['type']))
  const decision = types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending'
  return `${decision}${types.has('Failed') ? ',Failed' : ''}${request['status']?.certificate ? ',Issued' : ''}`
}

export const certificateSigningRequestPrinter = printer(
  [
    nameColumn,
    ageColumn,
    column('SignerName', 'Who is asked to sign.'),
    column('Requestor', 'Who asks.'),
    column('RequestedDuration', 'For how long the certificate shall be valid.'),
    column('Condition', 'How the request stands.'),
  ],
  (object, nowMs) => {
    const spec: JsonObject = object['spec'] ?? {}
    return [
      object.metadata.name,
      age(object, nowMs),
      spec['signerName'] || '<none>',
      spec['username'] ?? '',
      spec['expirationSeconds'] === undefined ? '<none>' : humanDuration(spec['expirationSeconds'] * 1000),
      requestCondition(object),
    ]
  },
)

export const clusterTrustBundlePrinter = printer(
  [nameColumn, column('SignerName', 'The signer whose certificates the bundle vouches for.')],
  (object) => [object.metadata.name, object['spec']?.signerName || '<none>'],
)

export const leasePrinter = printer(
  [nameColumn, column('Holder', 'Who holds the lease.'), ageColumn],
  (object, nowMs) => [object.metadata.name, object['spec']?.holderIdentity ?? '', age(object, nowMs)],
)

export const leaseCandidatePrinter = printer(
  [
    nameColumn,
    column('LeaseName', 'The lease that is sought.'),
    column('BinaryVersion', 'The version of the candidate.'),
    column('EmulationVersion', 'The version that the candidate acts as.'),
    ageColumn,
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.leaseName ?? '',
    object['spec']?.binaryVersion ?? '',
    object['spec']?.emulationVersion ?? '',
    age(object, nowMs),
  ],
)

export const componentStatusPrinter = printer(
  [
    nameColumn,
    column('Status', 'Whether the component is healthy.'),
    column('Message', 'What the component says.'),
    column('Error', 'What went wrong.'),
  ],
  (object) => {
    const health = ((object['conditions'] ?? []) as JsonObject[]).find((condition) => condition['type'] === 'Healthy')
    return [
      object.metadata.name,
      health ? (health['status'] === 'True' ? 'Healthy' : 'Unhealthy') : 'Unknown',
      health?.['message'] ?? '',
      health?.['error'] ?? '',
    ]
  },
)

export const resourceQuotaPrinter = printer(
  [
    nameColumn,
    column('Request', 'Used of allowed, of what pods ask for and of counted objects.'),
    column('Limit', 'Used of allowed, of what pods are limited to.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const { hard = {}, used = {} } = (object['status'] ?? {}) as JsonObject
    const cells: { limit: string[]; request: string[] } = { limit: [], request: [] }
    for (const resource of Object.keys(hard).sort()) {
      const column = resource.startsWith('limits.') ? cells.limit : cells.request
      column.push(`${resource}: ${used[resource] ?? 0}/${hard[resource]}`)
    }
    return [object.metadata.name, cells.request.join(', '), cells.limit.join(', '), age(object, nowMs)]
  },
)

/** Mutating and validating webhook configurations. */
export const webhookConfigurationPrinter = printer(
  [nameColumn, column('Webhooks', 'How many webhooks it registers.', 'integer'), ageColumn],
  (object, nowMs) => [object.metadata.name, object['webhooks']?.length ?? 0, age(object, nowMs)],
)

const paramKind = (policy: KubeObject): string => {
  const kind: JsonObject | undefined = policy['spec']?.paramKind
  return kind ? `${kind['apiVersion']}/${kind['kind']}` : '<unset>'
}

const admissionPolicyPrinter = (name: string, description: string, field: string) =>
  printer(
    [nameColumn, column(name, description, 'integer'), column('ParamKind', 'The kind of its parameters.'), ageColumn],
    (object, nowMs) => [
      object.metadata.name,
      object['spec']?.[field]?.length ?? 0,
      paramKind(object),
      age(object, nowMs),
    ],
  )

export const validatingAdmissionPolicyPrinter = admissionPolicyPrinter(
  'Validations',
  'How many rules it checks.',
  'validations',
)

export const mutatingAdmissionPolicyPrinter = admissionPolicyPrinter(
  'Mutations',
  'How many changes it makes.',
  'mutations',
)

/** Bindings of validating and of mutating admission policies. */
export const admissionPolicyBindingPrinter = printer(
  [
    nameColumn,
    column('PolicyName', 'The policy that is bound.'),
    column('ParamRef', 'The parameters that it is bound with.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const reference: JsonObject | undefined = object['spec']?.paramRef
    const param = reference?.['name']
      ? `${reference['namespace'] || '*'}/${reference['name']}`
      : reference?.['selector']
        ? JSON.stringify(reference['selector'])
        : '<unset>'
    return [object.metadata.name, object['spec']?.policyName ?? '', param, age(object, nowMs)]
  },
)

export const flowSchemaPrinter = printer(
  [
    nameColumn,
    column('PriorityLevel', 'The priority level that matching requests get.'),
    column('MatchingPrecedence', 'The lowest number that matches is taken.'),
    column('DistinguisherMethod', 'By what the requests are told apart into flows.'),
    ageColumn,
    column('MissingPL', 'Whether the priority level does not exist.'),
  ],
  (object, nowMs) => [
    object.metadata.name,
    object['spec']?.priorityLevelConfiguration?.name ?? '',
    object['spec']?.matchingPrecedence ?? 0,
    object['spec']?.distinguisherMethod?.type ?? '<none>',
    age(object, nowMs),
    conditionStatus(object, 'Dangling') ?? '?',
  ],
)

export const priorityLevelConfigurationPrinter = printer(
  [
    nameColumn,
    column('Type', 'Whether requests of this level are limited.'),
    column('NominalConcurrencyShares', 'The share of the server that the level may use.'),
    column('Queues', 'How many queues it has.'),
    column('HandSize', 'Among how many queues a flow is spread.'),
    column('QueueLengthLimit', 'How many requests wait in one queue at most.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const limited: JsonObject | undefined = object['spec']?.limited
    const queuing: JsonObject | undefined = limited?.['limitResponse']?.queuing
    return [
      object.metadata.name,
      object['spec']?.type ?? '',
      limited ? (limited['nominalConcurrencyShares'] ?? 0) : '<none>',
      queuing ? (queuing['queues'] ?? 0) : '<none>',
      queuing ? (queuing['handSize'] ?? 0) : '<none>',
      queuing ? (queuing['queueLengthLimit'] ?? 0) : '<none>',
      age(object, nowMs),
    ]
  },
)

export const apiServicePrinter = printer(
  [
    nameColumn,
    column('Service', 'Who answers for this group and version.'),
    column('Available', 'Whether it answers.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const service: JsonObject | undefined = object['spec']?.service
    const conditions = (object['status']?.conditions ?? []) as JsonObject[]
    const available = conditions.find((condition) => condition['type'] === 'Available')
    return [
      object.metadata.name,
      service ? `${service['namespace']}/${service['name']}` : 'Local',
      !available
        ? 'Unknown'
        : available['status'] === 'True'
          ? 'True'
          : `${available['status']} (${available['reason']})`,
      age(object, nowMs),
    ]
  },
)

export const storageVersionPrinter = printer(
  [
    nameColumn,
    column('CommonEncodingVersion', 'The version in which all servers store the resource.'),
    column('StorageVersions', 'The version in which each server stores it.'),
    ageColumn,
  ],
  (object, nowMs) => {
    const versions = (object['status']?.storageVersions ?? []) as JsonObject[]
    const shown = versions.map((version) => `${version['apiServerID']}=${version['encodingVersion']}`)
    return [
      object.metadata.name,
      object['status']?.commonEncodingVersion ?? '<unset>',
      shown.length > 3 ? `${shown.slice(0, 3).join(',')} + ${shown.length - 3} more...` : shown.join(',') || '<unset>',
      age(object, nowMs),
    ]
  },
)

export const storageVersionMigrationPrinter = printer(
  [{ ...nameColumn, format: '' }, column('Resource', 'The resource whose objects are written anew.')],
  (object) => {
    const { resource = '', version = '', group = '' } = (object['spec']?.resource ?? {}) as JsonObject
    return [object.metadata.name, `${resource}.${version}.${group}`]
  },
)
