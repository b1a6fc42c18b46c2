// A KMS v2 plug-in over its unix socket: gRPC, service v2.KeyManagementService.
import { credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import { LogUnavailable } from '@shiplog/events/event-log'

export interface KmsStatus {
  readonly version: string
  /** `ok`, or what is wrong. */
  readonly healthz: string
  /** Which key it encrypts with now; another one after a rotation. */
  readonly keyId: string
}

export interface KmsEncrypted {
  readonly ciphertext: Uint8Array
  readonly keyId: string
  readonly annotations: Readonly<Record<string, Uint8Array>>
}

/** All reject with LogUnavailable. */
export interface KmsClient {
  status(): Promise<KmsStatus>
  encrypt(plaintext: Uint8Array, uid: string): Promise<KmsEncrypted>
  decrypt(encrypted: KmsEncrypted, uid: string): Promise<Uint8Array>
  close(): void
}

/** Upstream's bounds of what a plug-in may answer. */
const keyIdBytesMax = 1_024
const answerBytesMax = 65_536

const bytes = (id: number) => ({ type: 'bytes', id })
const text = (id: number) => ({ type: 'string', id })
const annotations = (id: number) => ({ keyType: 'string', type: 'bytes', id })
const method = (name: string) => ({ requestType: `${name}Request`, responseType: `${name}Response` })

/** The service as protobuf.js describes one. */
export const descriptor = {
  nested: {
    v2: {
      nested: {
        KeyManagementService: {
          methods: { Status: method('Status'), Encrypt: method('Encrypt'), Decrypt: method('Decrypt') },
        },
        StatusRequest: { fields: {} },
        StatusResponse: { fields: { version: text(1), healthz: text(2), keyId: text(3) } },
        DecryptRequest: { fields: { ciphertext: bytes(1), uid: text(2), keyId: text(3), annotations: annotations(4) } },
        DecryptResponse: { fields: { plaintext: bytes(1) } },
        EncryptRequest: { fields: { plaintext: bytes(1), uid: text(2) } },
        EncryptResponse: { fields: { ciphertext: bytes(1), keyId: text(2), annotations: annotations(3) } },
      },
    },
  },
}

type Call = (request: object, options: { deadline: number }, done: (error: ServiceError | null, answer: any) => void) => void

export function createKmsClient(options: {
  readonly name: string
  readonly endpoint: string
  readonly timeoutMs: number
  readonly nowMs: () => number
}): KmsClient {
  const { name, endpoint, timeoutMs, nowMs } = options
  const { v2 } = loadPackageDefinition(fromJSON(descriptor as never, { defaults: true })) as any
  const client = new v2.KeyManagementService(endpoint, credentials.createInsecure(), {
    'grpc.max_receive_message_length': answerBytesMax * 2,
  })
  const call = <T>(what: 'Status' | 'Encrypt' | 'Decrypt', request: object): Promise<T> =>
    new Promise((resolve, reject) => {
      const ask: Call = client[what].bind(client)
      ask(request, { deadline: nowMs() + timeoutMs }, (error, answer) => {
        if (!error) return resolve(answer)
        // What it says may hold what it was given: its code and words of its own are enough.
        reject(new LogUnavailable(`KMS plug-in ${name} does not answer ${what}: ${error.details}`, { ambiguous: false }))
      })
    })
  return {
    status: () => call('Status', {}),
    async encrypt(plaintext, uid) {
      const answer = await call<KmsEncrypted>('Encrypt', { plaintext, uid })
      const problem =
        answer.ciphertext.length === 0 || answer.ciphertext.length > 1_024
          ? `a ciphertext of ${answer.ciphertext.length} bytes`
          : answer.keyId === '' || Buffer.byteLength(answer.keyId) > keyIdBytesMax
            ? `a key_id of ${Buffer.byteLength(answer.keyId)} bytes`
            : undefined
      if (problem) throw new LogUnavailable(`KMS plug-in ${name} answers with ${problem}`, { ambiguous: false })
      return answer
    },
    async decrypt({ ciphertext, keyId, annotations }, uid) {
      return (await call<{ plaintext: Uint8Array }>('Decrypt', { ciphertext, uid, keyId, annotations })).plaintext
    },
    close: () => client.close(),
  }
}
