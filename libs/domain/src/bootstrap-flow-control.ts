// The FlowSchemas and PriorityLevelConfigurations of a fresh cluster: upstream's mandatory and suggested ones. The
// gateways divide their seats by them (services/api-gateway/src/fairness).
import type {
  FlowSchema,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  ResourcePolicyRule,
  Subject,
} from '@shiplog/api/generated/types/flowcontrol-v1'

import type { Manifest } from '@shiplog/api/decoded'
import type { ObjectMeta } from '@shiplog/api/kube-object'

const apiVersion = 'flowcontrol.apiserver.k8s.io/v1'
const metadata = (name: string): Partial<ObjectMeta> => ({
  name,
  annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' },
})

interface Level {
  readonly shares: number
  readonly lendablePercent: number
  /** Absent: what does not fit is refused. */
  readonly queues?: { readonly queues: number; readonly handSize: number }
}

const queueLengthLimit = 50
const many = { queues: 128, handSize: 6 }
const some = { queues: 64, handSize: 6 }

const levels: Readonly<Record<string, Level>> = {
  'catch-all': { shares: 5, lendablePercent: 0 },
  system: { shares: 30, lendablePercent: 33, queues: some },
  'node-high': { shares: 40, lendablePercent: 25, queues: some },
  'leader-election': { shares: 10, lendablePercent: 0, queues: { queues: 16, handSize: 4 } },
  'workload-high': { shares: 40, lendablePercent: 50, queues: many },
  'workload-low': { shares: 100, lendablePercent: 90, queues: many },
  'global-default': { shares: 20, lendablePercent: 50, queues: many },
}

const priorityLevel = (name: string, spec: PriorityLevelConfigurationSpec): Manifest<PriorityLevelConfiguration> => ({
  apiVersion,
  kind: 'PriorityLevelConfiguration',
  metadata: metadata(name),
  spec,
})

const limited = ({ shares, lendablePercent, queues }: Level): PriorityLevelConfigurationSpec => ({
  type: 'Limited',
  limited: {
    nominalConcurrencyShares: shares,
    lendablePercent,
    limitResponse: queues ? { type: 'Queue', queuing: { ...queues, queueLengthLimit } } : { type: 'Reject' },
  },
})

const groups = (...names: string[]): Subject[] => names.map((name) => ({ kind: 'Group', group: { name } }))
const users = (...names: string[]): Subject[] => names.map((name) => ({ kind: 'User', user: { name } }))
const systemAccounts: Subject = {
  kind: 'ServiceAccount',
  serviceAccount: { name: '*', namespace: 'kube-system' },
}

interface Resources {
  readonly verbs?: string[]
  readonly groups?: string[]
  readonly resources?: string[]
  readonly clusterScope?: boolean
}

type Rules = Omit<PolicyRulesWithSubjects, 'subjects'>

const all = ['*']
const resourceRule = ({
  verbs = all,
  groups: apiGroups = all,
  resources = all,
  clusterScope = true,
}: Resources): ResourcePolicyRule => ({
  verbs,
  apiGroups,
  resources,
  namespaces: all,
  ...(clusterScope ? { clusterScope } : {}),
})
const everything: Rules = {
  resourceRules: [resourceRule({})],
  nonResourceRules: [{ verbs: all, nonResourceURLs: all }],
}
const leases: Resources = { groups: ['coordination.k8s.io'], resources: ['leases'], clusterScope: false }
const everybody = groups('system:unauthenticated', 'system:authenticated')

const schemaAt =
  (now: string) =>
  (
    name: string,
    level: string,
    precedence: number,
    distinguisher: 'ByUser' | 'ByNamespace' | undefined,
    subjects: Subject[],
    rules: Rules = everything,
  ): Manifest<FlowSchema> => ({
    apiVersion,
    kind: 'FlowSchema',
    metadata: metadata(name),
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence: precedence,
      ...(distinguisher ? { distinguisherMethod: { type: distinguisher } } : {}),
      rules: [{ subjects, ...rules }],
    },
    status: {
      conditions: [
        {
          type: 'Dangling',
          status: 'False',
          lastTransitionTime: now,
          reason: 'Found',
          message: `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)} and it exists`,
        },
      ],
    },
  })

const manager = 'system:kube-controller-manager'
const scheduler = 'system:kube-scheduler'
const probes = { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] }
const elections = { resourceRules: [resourceRule({ ...leases, verbs: ['get', 'create', 'update'] })] }
const heartbeats = {
  resourceRules: [resourceRule({ groups: [''], resources: ['nodes', 'nodes/status'] }), resourceRule(leases)],
}

/** Levels first: schemas name them. `now`: since when what a schema names is there. */
export const bootstrapFlowControl = (now: string): Manifest<FlowSchema | PriorityLevelConfiguration>[] => {
  const schema = schemaAt(now)
  return [
    priorityLevel('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
    ...Object.entries(levels).map(([name, level]) => priorityLevel(name, limited(level))),
    schema('exempt', 'exempt', 1, undefined, groups('system:masters')),
    schema('probes', 'exempt', 2, undefined, everybody, probes),
    schema(
      'system-leader-election',
      'leader-election',
      100,
      'ByUser',
      [...users(manager, scheduler), systemAccounts],
      elections,
    ),
    schema('system-node-high', 'node-high', 400, 'ByUser', groups('system:nodes'), heartbeats),
    schema('system-nodes', 'system', 500, 'ByUser', groups('system:nodes')),
    schema('kube-controller-manager', 'workload-high', 800, 'ByNamespace', users(manager)),
    schema('kube-scheduler', 'workload-high', 800, 'ByNamespace', users(scheduler)),
    schema('kube-system-service-accounts', 'workload-high', 900, 'ByNamespace', [systemAccounts]),
    schema('service-accounts', 'workload-low', 9000, 'ByUser', groups('system:serviceaccounts')),
    schema('global-default', 'global-default', 9900, 'ByUser', everybody),
    schema('catch-all', 'catch-all', 10000, 'ByUser', everybody),
  ]
}
