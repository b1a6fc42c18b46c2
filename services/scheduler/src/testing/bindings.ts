// What tests of the scheduler ask a fake cluster about bindings.
import type { ApiRequest, ApiResult } from '@shiplog/api/api-client'
import type { FakeCluster } from '@shiplog/testing/fake-cluster'

/** Bindings that were stored, with their request. */
export const bindingsOf = (cluster: FakeCluster): { readonly request: ApiRequest; readonly sequence: number }[] =>
  cluster.requests.flatMap(({ request, result }) =>
    request.subresource === 'binding' && result.ok ? [{ request, sequence: result.sequence }] : [],
  )

/** Asked for every binding that arrives; undefined lets the cluster carry it out. */
export function onBinding(
  cluster: FakeCluster,
  answer: (request: ApiRequest, store: () => ApiResult) => ApiResult | undefined,
): void {
  cluster.intercept = (request, carryOut) =>
    request.subresource === 'binding' ? answer(request, carryOut) : undefined
}
