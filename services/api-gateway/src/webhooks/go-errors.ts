// What went wrong on the way to a server of somebody, as Go says it: clients and their tests look for these sentences.
import { isIP } from 'node:net'

interface NodeError extends Error {
  readonly code?: string
  readonly syscall?: string
  readonly address?: string
  readonly port?: number
  readonly hostname?: string
  readonly cert?: { readonly subjectaltname?: string; readonly valid_to?: string }
}

const unknownAuthority = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
])
const notTls = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'])

const ofCertificate = (why: string): string => `tls: failed to verify certificate: x509: ${why}`

/** Names of a certificate, or addresses where it was asked for one. */
function validFor(subjects: string | undefined, asked: string): string {
  const kind = isIP(asked) ? 'IP Address:' : 'DNS:'
  const names = (subjects ?? '').split(', ').flatMap((one) => (one.startsWith(kind) ? [one.slice(kind.length)] : []))
  if (isIP(asked) && names.length === 0) return `cannot validate certificate for ${asked} because it doesn't contain any IP SANs`
  return names.length > 0
    ? `certificate is valid for ${names.join(', ')}, not ${asked}`
    : `certificate is not valid for any names, but wanted to match ${asked}`
}

/** `host`: whom the certificate was to be of. */
export function goError(error: unknown, host: string): string {
  const { code = '', message, address = '', port, hostname = '', cert } = (error instanceof Error ? error : new Error(String(error))) as NodeError
  if (unknownAuthority.has(code)) return ofCertificate('certificate signed by unknown authority')
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return ofCertificate(validFor(cert?.subjectaltname, host))
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return ofCertificate('certificate has expired or is not yet valid')
  if (notTls.has(code)) return 'http: server gave HTTP response to HTTPS client'
  const target = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  switch (code) {
    case 'ECONNREFUSED':
      return address ? `dial tcp ${target}: connect: connection refused` : message
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return `dial tcp ${target}: connect: no route to host`
    case 'ETIMEDOUT':
      return `dial tcp ${target}: connect: connection timed out`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${hostname}: no such host`
    case 'ECONNRESET':
      return message === 'socket hang up' || message.startsWith('Client network socket') ? 'EOF' : 'read: connection reset by peer'
    case 'HPE_INVALID_CONSTANT':
      return 'net/http: HTTP/1.x transport connection broken: malformed HTTP response'
    default:
      return code.startsWith('HPE_') ? 'net/http: HTTP/1.x transport connection broken: malformed HTTP response' : message
  }
}

/** How client-go tells of an answer that is none, by its code. */
export function statusSentence(code: number, body: string): string {
  switch (code) {
    case 400:
      return 'the server rejected our request for an unknown reason'
    case 401:
      return 'the server has asked for the client to provide credentials'
    case 403:
      return body || 'unknown'
    case 404:
      return 'the server could not find the requested resource'
    case 405:
      return 'the server does not allow this method on the requested resource'
    case 406:
      return body || 'the server was unable to respond with a content type that the client supports'
    case 409:
      return 'the server reported a conflict'
    case 415:
      return body || 'the body of the request was in an unknown format'
    case 422:
      return 'the server rejected our request due to an error in our request'
    case 429:
      return 'the server has received too many requests and has asked us to try again later'
    case 503:
      return 'the server is currently unable to handle the request'
    case 504:
      return 'the server was unable to return a response in the time allotted, but may still be processing the request'
    default:
      return code >= 500
        ? `an error on the server (${JSON.stringify(body || 'unknown')}) has prevented the request from succeeding`
        : `the server responded with the status code ${code} but did not return more information`
  }
}
