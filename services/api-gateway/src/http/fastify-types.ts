// Fastify's types for a server of HTTP/2 that also takes HTTP/1.1. A request of HTTP/1.1 is an IncomingMessage; what is
// used of either is the same, so the types of HTTP/2 stand for both.
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { User } from '@shiplog/domain/strategy'
import type { Audit } from '../audit/auditor.ts'
import type { ResourcePath } from './request-info.ts'
import type { RequestLabels } from './request-metrics.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteGenericInterface } from 'fastify'

export type RawRequest = Http2ServerRequest
export type RawResponse = Http2ServerResponse
export type HttpServer = FastifyInstance<Http2SecureServer, RawRequest, RawResponse>
export type HttpRequest = FastifyRequest<RouteGenericInterface, Http2SecureServer, RawRequest>
export type HttpReply = FastifyReply<RouteGenericInterface, Http2SecureServer, RawRequest, RawResponse>

declare module 'fastify' {
  interface FastifyRequest {
    /** The audit id. */
    requestId: string
    /** The path without `/at/<moment>`, as it was sent. */
    path: string
    searchParams: URLSearchParams
    /** What the path names of the present; set by the authentication hook. */
    resource: ResourcePath | undefined
    /** Who asks; set by the authentication hook. */
    user: User
    /** What is counted of it; set once the resource is known. */
    labels: RequestLabels | undefined
    inFlight: Disposable | undefined
    /** Its place among the requests that are served; given back when it is answered, or long-running. */
    seat: Disposable | undefined
    /** The client hung up while the request waited for its seat, or later. */
    isGone: boolean
    /** Set where the request is audited. */
    audit: Audit | undefined
  }
}

export const header = (raw: Pick<RawRequest, 'headers'>, name: string): string | undefined => {
  const value = raw.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

export const replyHeaders = (reply: HttpReply): Record<string, string> => reply.getHeaders() as Record<string, string>
