// A scenario on our reconcilers over a cluster in memory: no time passes but what the script lets pass.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import { cloneJson } from '@shiplog/api/clone-json'
import type { JsonObject } from '@shiplog/api/kube-object'
import { budgetsOf, chargeBudget, checkEviction, markEvicted } from '@shiplog/domain/subresources/eviction'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'
import { rfc3339 } from '@shiplog/runtime/clock'
import { createReconcilers } from '@shiplog/controllers/controller-manager'
import { createReconcileHarness } from '@shiplog/controllers/testing/reconcile-harness'
import { createFakeTokenSigner, createTestAuthority } from '@shiplog/controllers/testing/signers'
import { nodeManifest, nodeNames } from './scenario.ts'
import type { Stage } from './play.ts'

/** Those that look at Leases of nodes, which the script does not keep. */
const leftOut = ['nodelifecycle']
/** Controllers that wait a moment before they go on are given it. */
const restMs = 2_000
const withoutNodes = true

/** `onRequest` hears what the controllers ask of the API. */
export function createMemoryStage(onRequest: (request: ApiRequest) => void = () => undefined): Stage {
  const signers = { tokenSigner: createFakeTokenSigner(), certificateSigner: createTestAuthority().signer }
  const reconcilers = createReconcilers({ rootCa: 'CA', ...signers }).filter(({ name }) => !leftOut.includes(name))
  const answer = (request: ApiRequest): undefined => void onRequest(request)
  const harness = createReconcileHarness(reconcilers, { answer })
  const { cluster, events } = harness
  const namespace = 'scenario'
  const metadata = { name: namespace }
  cluster.must({ verb: 'create', group: '', resource: 'namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata } })
  for (const name of nodeNames) cluster.must({ verb: 'create', group: '', resource: 'nodes', body: nodeManifest(name) })
  harness.settle({ withoutNodes })
  return {
    namespace,
    request: async (request) => (request.subresource === 'eviction' ? evict(cluster, request, harness.nowMs()) : cluster.execute(request)),
    list: async (groupResource) => cluster.list(groupResource, namespace),
    events: async () => [...new Set(events)],
    rest: async () => harness.advance(restMs, { withoutNodes }),
    passSeconds: async (seconds) => harness.advance(seconds * 1_000, { withoutNodes }),
    now: () => rfc3339(harness.nowMs()),
  }
}

/** The eviction subresource as the gateway has it: budgets are charged, the pod is marked, and goes. */
function evict(cluster: FakeCluster, { namespace = '', name = '' }: ApiRequest, nowMs: number): ApiResult {
  const pod = cloneJson(cluster.get('pods', `${namespace}/${name}`)!)
  const budgets = cluster.list('poddisruptionbudgets.policy', namespace)
  const refusal = checkEviction(pod, budgets)
  if (refusal) return { ok: false, code: refusal.code, status: refusal }
  for (const budget of budgetsOf(pod, budgets)) {
    const charged = cloneJson(budget)
    chargeBudget(charged, name, nowMs)
    const at = { group: 'policy', resource: 'poddisruptionbudgets', subresource: 'status', namespace }
    cluster.must({ verb: 'update', ...at, name: budget.metadata.name, body: charged as unknown as JsonObject })
  }
  markEvicted(pod, nowMs)
  const at = { group: '', resource: 'pods', namespace, name }
  cluster.must({ verb: 'update', ...at, subresource: 'status', body: pod as unknown as JsonObject })
  return cluster.execute({ verb: 'delete', ...at })
}
