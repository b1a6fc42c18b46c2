// Tokens that another service knows: a TokenReview, and its answer kept for a while
// (k8s.io/apiserver/plugin/pkg/authenticator/token/webhook).
import { createHash } from 'node:crypto'
import type { TokenReviewStatus } from '@shiplog/api/generated/types/authentication-v1'
import type { Logger } from '@shiplog/runtime/logger'
import { postJson, type RemoteService } from '../remote/remote-service.ts'
import type { TokenVerdict } from './service-account-authenticator.ts'

export interface TokenWebhook {
  authenticate(token: string, audiences: readonly string[]): Promise<TokenVerdict>
}

const timeoutMs = 30_000
/** As --authentication-token-webhook-cache-ttl. */
const cacheMs = 120_000
const cachedMax = 4_096

export function createTokenWebhook(service: RemoteService, nowMs: () => number, logger: Logger): TokenWebhook {
  const cached = new Map<string, { readonly verdict: TokenVerdict; readonly untilMs: number }>()
  return {
    async authenticate(token, audiences) {
      const key = createHash('sha256').update(JSON.stringify([token, audiences])).digest('base64')
      const found = cached.get(key)
      if (found && found.untilMs > nowMs()) return found.verdict
      cached.delete(key)
      try {
        const verdict = await review(service, token, audiences)
        if (cached.size >= cachedMax) cached.delete(cached.keys().next().value!)
        cached.set(key, { verdict, untilMs: nowMs() + cacheMs })
        return verdict
      } catch (err) {
        logger.warn({ err }, 'failed to make webhook authenticator request')
        return { error: 'the token webhook could not be asked' }
      }
    },
  }
}

async function review(service: RemoteService, token: string, audiences: readonly string[]): Promise<TokenVerdict> {
  const spec = { token, ...(audiences.length > 0 ? { audiences } : {}) }
  const answer = await postJson(service, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {}, spec }, timeoutMs)
  const { status = {} as TokenReviewStatus } = answer as { readonly status?: TokenReviewStatus }
  if (!status.authenticated) return { error: status.error || 'invalid bearer token' }
  const { username = '', uid, groups = [], extra } = status.user ?? {}
  return {
    user: {
      name: username,
      ...(uid ? { uid } : {}),
      groups: groups.includes('system:authenticated') ? groups : [...groups, 'system:authenticated'],
      ...(extra ? { extra } : {}),
    },
    audiences: status.audiences ?? [...audiences],
  }
}
