// Certificate requests (PKCS#10): whom they ask a certificate for, and whether who asks holds the key. Node's crypto reads
// certificates but not requests, so the few structures around subject, key and signature are read here.
import { constants, createPublicKey, verify } from 'node:crypto'
import { pemBlocks } from './pem.ts'

export interface CertificateRequest {
  /** The `CN=` of the subject: the user, when the certificate is a client's. */
  readonly commonName: string
  /** The `O=` of the subject: groups, when the certificate is a client's. */
  readonly organizations: readonly string[]
  /** For whom else the certificate is to stand. */
  readonly alternatives: SubjectAlternatives
  /** Subject and public key as they stand in the request, in DER. */
  readonly subject: Buffer
  readonly publicKey: Buffer
  /** Why the signature is not that of the key in the request; undefined when it is. */
  whyUnsigned(): string | undefined
}

export interface SubjectAlternatives {
  readonly dnsNames: readonly string[]
  readonly emails: readonly string[]
  readonly uris: readonly string[]
  /** As text. */
  readonly ipAddresses: readonly string[]
}

const tag = { sequence: 0x30, set: 0x31, bitString: 0x03, objectId: 0x06, bmpString: 0x1e, latin1: 0x14 } as const
const organizationName = '55040a'
const commonName = '550403'
const extensionRequest = '2a864886f70d01090e'
const subjectAltName = '551d11'
/** Attributes of a request, and the forms of a name in a list of names. */
const attributesTag = 0xa0
const nameForm = { email: 0x81, dnsName: 0x82, uri: 0x86, ipAddress: 0x87 } as const

interface Element {
  readonly tag: number
  /** With tag and length. */
  readonly whole: Buffer
  readonly content: Buffer
}

/** The request in a PEM text. Throws Error with the reason when it is none. */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const [first] = pemBlocks(pem)
  if (first?.type !== 'CERTIFICATE REQUEST') throw new Error('PEM block type must be CERTIFICATE REQUEST')
  const [request, ...behind] = elementsOf(first.bytes)
  if (behind.length > 0) throw new Error('x509: trailing data after CSR')
  const [info, algorithm, signature] = childrenOf(request, tag.sequence)
  const [, subject, publicKey, attributes] = childrenOf(info, tag.sequence)
  if (signature?.tag !== tag.bitString || subject === undefined || publicKey === undefined) throw malformed()
  const [algorithmId] = childrenOf(algorithm, tag.sequence)
  return {
    commonName: namesOf(subject, commonName).at(-1) ?? '',
    organizations: namesOf(subject, organizationName),
    alternatives: alternativesOf(attributes),
    subject: subject.whole,
    publicKey: publicKey.whole,
    whyUnsigned: () =>
      whyUnsigned(info!.whole, publicKey.whole, signature.content.subarray(1), algorithmId!, algorithm!.content),
  }
}

const malformed = (): Error => new Error('asn1: structure error: the request is not one of PKCS#10')

function* read(bytes: Buffer): Generator<Element> {
  let at = 0
  while (at < bytes.length) {
    const first = bytes[at + 1]
    if (first === undefined) throw new Error('asn1: syntax error: data truncated')
    let length = first
    let header = 2
    if (first >= 0x80) {
      const digits = first & 0x7f
      // More than four would be longer than any body; none is a form that DER does not have.
      if (digits === 0 || digits > 4 || at + 2 + digits > bytes.length) throw malformed()
      length = bytes.readUIntBE(at + 2, digits)
      header += digits
    }
    const end = at + header + length
    if (end > bytes.length) throw new Error('asn1: syntax error: data truncated')
    yield { tag: bytes[at]!, whole: bytes.subarray(at, end), content: bytes.subarray(at + header, end) }
    at = end
  }
}

const elementsOf = (bytes: Buffer): Element[] => [...read(bytes)]

function childrenOf(element: Element | undefined, expected: number): Element[] {
  if (element?.tag !== expected) throw malformed()
  return elementsOf(element.content)
}

/** A name is a list of sets of pairs. */
function namesOf(subject: Element | undefined, wanted: string): string[] {
  return childrenOf(subject, tag.sequence).flatMap((set) =>
    childrenOf(set, tag.set).flatMap((pair) => {
      const [type, value] = childrenOf(pair, tag.sequence)
      if (type?.tag !== tag.objectId || value === undefined) throw malformed()
      return type.content.toString('hex') === wanted ? [textOf(value)] : []
    }),
  )
}

/** Attributes hold, among others, the extensions that the certificate is asked to have. */
function alternativesOf(attributes: Element | undefined): SubjectAlternatives {
  const names = attributes?.tag === attributesTag ? elementsOf(attributes.content).flatMap(alternativeNames) : []
  const ofForm = (form: number): Buffer[] => names.filter((name) => name.tag === form).map(({ content }) => content)
  const texts = (form: number): string[] => ofForm(form).map((content) => content.toString('latin1'))
  return {
    dnsNames: texts(nameForm.dnsName),
    emails: texts(nameForm.email),
    uris: texts(nameForm.uri),
    ipAddresses: ofForm(nameForm.ipAddress).map(addressText),
  }
}

function alternativeNames(attribute: Element): Element[] {
  const [type, values] = childrenOf(attribute, tag.sequence)
  if (type?.content.toString('hex') !== extensionRequest) return []
  return childrenOf(values, tag.set)
    .flatMap((list) => childrenOf(list, tag.sequence))
    .flatMap((extension) => {
      const parts = childrenOf(extension, tag.sequence)
      const value = parts.at(-1)
      if (parts[0]?.content.toString('hex') !== subjectAltName || value === undefined) return []
      return elementsOf(value.content).flatMap((names) => childrenOf(names, tag.sequence))
    })
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.')
  if (bytes.length !== 16) throw new Error('x509: cannot parse IP address')
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
}

function textOf({ tag: kind, content }: Element): string {
  if (kind === tag.bmpString) return Buffer.from(content).swap16().toString('utf16le')
  return content.toString(kind === tag.latin1 ? 'latin1' : 'utf8')
}

/** Object identifiers of signatures, as they stand in DER, and what digest they sign. */
const digests: ReadonlyMap<string, string | null> = new Map([
  ['2a864886f70d010105', 'sha1'],
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d0401', 'sha1'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  // Ed25519 has its own.
  ['2b6570', null],
])
const rsaPss = '2a864886f70d01010a'
const pssDigests = [
  ['608648016503040201', 'sha256'],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
] as const

function whyUnsigned(
  signed: Buffer,
  spki: Buffer,
  signature: Buffer,
  { content: algorithm }: Element,
  parameters: Buffer,
): string | undefined {
  const id = algorithm.toString('hex')
  const isPss = id === rsaPss
  const named = parameters.toString('hex')
  const digest = isPss ? pssDigests.find(([digestId]) => named.includes(digestId))?.[1] : digests.get(id)
  if (digest === undefined) return 'x509: cannot verify signature: algorithm unimplemented'
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    const padding = isPss ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {}
    if (verify(digest, signed, { key, ...padding }, signature)) return undefined
    return key.asymmetricKeyType === 'ec' ? 'x509: ECDSA verification failure' : 'crypto/rsa: verification error'
  } catch (error) {
    return `x509: ${(error as Error).message}`
  }
}
