// Tokens of service accounts for pods: asked of the API as the node, bound to the pod, kept until four fifths of their time
// have passed (or a day), and given up with the pod.
import type { ApiClient } from '@shiplog/api/api-client'
import type { Pod, ServiceAccountTokenProjection } from '@shiplog/api/generated/types/core-v1'
import type { JsonObject } from '@shiplog/api/kube-object'
import type { Clock } from '@shiplog/runtime/clock'

/** As upstream: an expiration that a source does not name. */
const defaultExpirationSeconds = 3_600
const lifeFraction = 0.8
const ageMsMax = 24 * 3_600_000

/** The token that a source of a projected volume asks for. */
export type TokenOf = (source: ServiceAccountTokenProjection) => string

export interface ServiceAccountTokens {
  /** All that the pod's volumes ask for, fresh enough. Rejects when one cannot be had. */
  forPod(pod: Pod): Promise<TokenOf>
  forget(podUid: string): void
}

interface Kept {
  readonly token: string
  readonly renewAtMs: number
}

const keyOf = ({ audience = '', expirationSeconds }: ServiceAccountTokenProjection): string =>
  `${audience}/${expirationSeconds ?? defaultExpirationSeconds}`

const sourcesOf = ({ spec }: Pod): ServiceAccountTokenProjection[] =>
  (spec.volumes ?? []).flatMap(({ projected }) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []),
  )

export function createServiceAccountTokens({
  client,
  clock,
}: {
  readonly client: ApiClient
  readonly clock: Clock
}): ServiceAccountTokens {
  const kept = new Map<string, Map<string, Kept>>()
  return {
    async forPod(pod) {
      const { uid } = pod.metadata
      const ofPod = kept.get(uid) ?? new Map<string, Kept>()
      for (const source of sourcesOf(pod)) {
        const present = ofPod.get(keyOf(source))
        if (present !== undefined && clock.nowMs() < present.renewAtMs) continue
        ofPod.set(keyOf(source), await request(client, clock, pod, source))
      }
      if (ofPod.size > 0) kept.set(uid, ofPod)
      return (source) => ofPod.get(keyOf(source))!.token
    },
    forget: (podUid) => void kept.delete(podUid),
  }
}

async function request(
  client: ApiClient,
  clock: Clock,
  { metadata, spec }: Pod,
  { audience, expirationSeconds = defaultExpirationSeconds }: ServiceAccountTokenProjection,
): Promise<Kept> {
  const name = spec.serviceAccountName || 'default'
  const body: JsonObject = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {
      ...(audience ? { audiences: [audience] } : {}),
      expirationSeconds,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid },
    },
  }
  const result = await client.request({
    ...{ verb: 'create', group: '', resource: 'serviceaccounts', subresource: 'token' },
    ...{ namespace: metadata.namespace ?? '', name, body },
  })
  if (!result.ok) throw new Error(`failed to fetch token: ${result.status.message ?? result.code}`)
  const { status } = result.object as unknown as { status: { token: string; expirationTimestamp: string } }
  const nowMs = clock.nowMs()
  const lifeMs = Date.parse(status.expirationTimestamp) - nowMs
  return { token: status.token, renewAtMs: nowMs + Math.min(lifeMs * lifeFraction, ageMsMax) }
}
