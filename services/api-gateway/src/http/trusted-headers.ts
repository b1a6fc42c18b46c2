// Headers of our own, which only the control plane's components may send, and the trace context, which everybody may.
import { wireHeader } from '@shiplog/api-client/wire/headers'
import type { GatewayRequest, Provenance } from '../request/gateway-request.ts'
import { readOnce } from '@shiplog/domain/write/rounds'
import { header, type RawRequest } from './fastify-types.ts'

type Headers = Pick<RawRequest, 'headers'>

/** What a request says beside the Kubernetes API. */
export function readTrustedHeaders(
  raw: Headers,
  trusted: boolean,
): Pick<GatewayRequest, 'provenance' | 'onlyNew' | 'once'> {
  if (!trusted) return { provenance: traceOf(raw) }
  const once = readOnce(header(raw, wireHeader.once) ?? '', header(raw, wireHeader.onceAlso))
  return {
    provenance: provenanceOf(raw),
    ...(header(raw, wireHeader.onlyNew) === '1' ? { onlyNew: true } : {}),
    ...(once ? { once } : {}),
  }
}

function provenanceOf(raw: Headers): Provenance {
  const number = (name: string): number | undefined => {
    const text = header(raw, name)
    return text && /^\d{1,15}$/.test(text) ? Number(text) : undefined
  }
  const cause = number(wireHeader.cause)
  const basis = number(wireHeader.basis)
  const decision = header(raw, wireHeader.decision)
  return {
    ...traceOf(raw),
    ...(cause === undefined ? {} : { cause }),
    ...(basis === undefined ? {} : { basis }),
    ...(decision === undefined ? {} : { decision }),
  }
}

function traceOf(raw: Headers): Provenance {
  const traceparent = header(raw, 'traceparent')
  return traceparent && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent) ? { traceparent } : {}
}
