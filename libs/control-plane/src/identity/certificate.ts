// X.509 certificates with P-256 keys, made with node:crypto and a few lines of DER. A library would take longer to load
// than the whole cluster may take to start; what is made here is checked in the tests by node:crypto, TLS and openssl.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'

/** What a certificate is for. */
export type CertificateUse = 'authority' | 'server' | 'client'

export interface CertificateRequest {
  readonly use: CertificateUse
  readonly commonName: string
  /** The groups of a client. */
  readonly organizations?: readonly string[]
  /** Names and addresses of a server. */
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export interface Authority {
  /** PEM. */
  readonly certificate: string
  readonly key: KeyObject
}

export const newKeyPair = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

/**
 * PEM in the traditional form of the key's kind (SEC1, or PKCS#1 for RSA), as kubeadm, kind and k3s write it: there are
 * clients that load no PKCS#8, fabric8 without BouncyCastle among them.
 */
export function keyPem(key: KeyObject): string {
  const kind = key.asymmetricKeyType
  const type = kind === 'ec' ? 'sec1' : kind === 'rsa' ? 'pkcs1' : 'pkcs8'
  return key.export({ type, format: 'pem' }) as string
}

const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

const objectIds = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  ecdsaWithSha512: '1.2.840.10045.4.3.4',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

function der(type: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([type, ...size]), content])
}

const sequence = (...contents: readonly Uint8Array[]): Buffer => der(tag.sequence, ...contents)

function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (let arc of rest) {
    const group = [arc & 0x7f]
    while ((arc >>= 7) > 0) group.unshift((arc & 0x7f) | 0x80)
    bytes.push(...group)
  }
  return der(tag.objectId, Buffer.from(bytes))
}

function name(commonName: string, organizations: readonly string[]): Buffer {
  const part = (id: string, value: string): Buffer =>
    der(tag.set, sequence(objectId(id), der(tag.utf8String, Buffer.from(value))))
  return sequence(
    ...organizations.map((organization) => part(objectIds.organization, organization)),
    part(objectIds.commonName, commonName),
  )
}

/** UTCTime up to 2049, GeneralizedTime after it, as RFC 5280 asks. */
function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  return text < '2050' ? der(tag.utcTime, Buffer.from(text.slice(2))) : der(tag.generalizedTime, Buffer.from(text))
}

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(objectId(id), ...(critical ? [der(tag.boolean, Buffer.from([0xff]))] : []), der(tag.octetString, value))

const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  der(tag.bitString, Buffer.from([unusedBits]), content)

/** The identifier of a key: SHA-1 of the bits of its SubjectPublicKeyInfo. */
function keyIdentifier(spki: Buffer): Buffer {
  const parts = inside(spki, 0).bytes
  const bits = inside(parts, inside(parts, 0).end).bytes
  return createHash('sha1').update(bits.subarray(1)).digest()
}

/** The identifier that an authority's certificate gives its key, or the usual one when it gives none. */
function issuerIdentifier(certificate: X509Certificate): Buffer {
  const { raw } = certificate
  const at = raw.indexOf(objectId(objectIds.subjectKeyIdentifier))
  if (at < 0) return keyIdentifier(spkiOf(certificate.publicKey))
  // The extension's value is an octet string in an octet string.
  return inside(inside(raw, inside(raw, at).end).bytes, 0).bytes
}

function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))
  const left = words(head)
  const right = tail === undefined ? [] : words(tail)
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}

function extensions(request: CertificateRequest, spki: Buffer, issuerId: Buffer): Buffer {
  const isAuthority = request.use === 'authority'
  const list = [
    keyUsageExtension(isAuthority ? ['digital signature', 'cert sign', 'crl sign'] : ['digital signature']),
    basicConstraints(isAuthority),
    extension(objectIds.subjectKeyIdentifier, false, der(tag.octetString, keyIdentifier(spki))),
    authorityIdentifier(issuerId),
  ]
  if (!isAuthority) {
    const purpose = request.use === 'server' ? objectIds.serverAuth : objectIds.clientAuth
    list.push(extension(objectIds.extendedKeyUsage, false, sequence(objectId(purpose))))
  }
  list.push(...alternativeNames({ dnsNames: request.dnsNames ?? [], ipAddresses: request.ipAddresses ?? [] }))
  return der(0xa3, sequence(...list))
}

const basicConstraints = (isAuthority: boolean): Buffer =>
  extension(
    objectIds.basicConstraints,
    true,
    isAuthority ? sequence(der(tag.boolean, Buffer.from([0xff]))) : sequence(),
  )

const authorityIdentifier = (issuerId: Buffer): Buffer =>
  extension(objectIds.authorityKeyIdentifier, false, sequence(der(0x80, issuerId)))

/** The bits of a key's usage, from the left, by Kubernetes' names. */
const usageBits: ReadonlyMap<string, number> = new Map([
  ['signing', 0],
  ['digital signature', 0],
  ['content commitment', 1],
  ['key encipherment', 2],
  ['data encipherment', 3],
  ['key agreement', 4],
  ['cert sign', 5],
  ['crl sign', 6],
  ['encipher only', 7],
  ['decipher only', 8],
])

/** What a certificate may be shown for, by Kubernetes' names. */
const purposes: ReadonlyMap<string, string> = new Map([
  ['any', '2.5.29.37.0'],
  ['server auth', objectIds.serverAuth],
  ['client auth', objectIds.clientAuth],
  ['code signing', '1.3.6.1.5.5.7.3.3'],
  ['email protection', '1.3.6.1.5.5.7.3.4'],
  ['s/mime', '1.3.6.1.5.5.7.3.4'],
  ['ipsec end system', '1.3.6.1.5.5.7.3.5'],
  ['ipsec tunnel', '1.3.6.1.5.5.7.3.6'],
  ['ipsec user', '1.3.6.1.5.5.7.3.7'],
  ['timestamping', '1.3.6.1.5.5.7.3.8'],
  ['ocsp signing', '1.3.6.1.5.5.7.3.9'],
  ['microsoft sgc', '1.3.6.1.4.1.311.10.3.3'],
  ['netscape sgc', '2.16.840.1.113730.4.1'],
])

/** A list of bits ends with the last one that is set. */
function keyUsageExtension(usages: readonly string[]): Buffer {
  const bits = usages.flatMap((usage) => usageBits.get(usage) ?? [])
  const last = Math.max(...bits)
  const bytes = Buffer.alloc(Math.floor(last / 8) + 1)
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7)
  return extension(objectIds.keyUsage, true, bitString(bytes, 7 - (last & 7)))
}

interface Alternatives {
  readonly dnsNames?: readonly string[]
  readonly emails?: readonly string[]
  readonly uris?: readonly string[]
  readonly ipAddresses?: readonly string[]
}

function alternativeNames({ dnsNames = [], emails = [], uris = [], ipAddresses = [] }: Alternatives): Buffer[] {
  const text = (form: number) => (value: string) => der(form, Buffer.from(value, 'latin1'))
  const names = [
    ...dnsNames.map(text(0x82)),
    ...emails.map(text(0x81)),
    ...ipAddresses.map((address) => der(0x87, addressBytes(address))),
    ...uris.map(text(0x86)),
  ]
  return names.length === 0 ? [] : [extension(objectIds.subjectAltName, false, sequence(...names))]
}

const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' }) as Buffer

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`

/** Makes a certificate for `publicKey`, signed by `issuer`, or by itself when there is none. Gives PEM. */
export function issueCertificate(request: CertificateRequest, keys: KeyPair, issuer?: Authority): string {
  const subject = name(request.commonName, request.organizations ?? [])
  const spki = spkiOf(keys.publicKey)
  const issuerCertificate = issuer && new X509Certificate(issuer.certificate)
  const issuerId = issuerCertificate ? issuerIdentifier(issuerCertificate) : keyIdentifier(spki)
  return signed({
    ...{ subject, spki, key: issuer?.key ?? keys.privateKey },
    issuer: issuerCertificate ? subjectOf(issuerCertificate) : subject,
    validity: sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    extensions: extensions(request, spki, issuerId),
  })
}

/** What somebody has asked an authority for, and what was granted of it. */
export interface GrantedRequest {
  /** In DER, as they stand in the request. */
  readonly subject: Buffer
  readonly publicKey: Buffer
  readonly alternatives: Alternatives
  /** Kubernetes' names for what the certificate may be used for; all of them known. */
  readonly usages: readonly string[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** A certificate in PEM for a request of somebody else's. */
export function signRequest(request: GrantedRequest, authority: Authority): string {
  const issuer = new X509Certificate(authority.certificate)
  const { usages } = request
  const shownFor = [...new Set(usages.flatMap((usage) => purposes.get(usage) ?? []))]
  const list = [
    ...(usages.some((usage) => usageBits.has(usage)) ? [keyUsageExtension(usages)] : []),
    ...(shownFor.length > 0 ? [extension(objectIds.extendedKeyUsage, false, sequence(...shownFor.map(objectId)))] : []),
    basicConstraints(false),
    authorityIdentifier(issuerIdentifier(issuer)),
    ...alternativeNames(request.alternatives),
  ]
  return signed({
    ...{ subject: request.subject, spki: request.publicKey, key: authority.key, issuer: subjectOf(issuer) },
    validity: sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    extensions: der(0xa3, sequence(...list)),
  })
}

interface Parts {
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly validity: Buffer
  readonly spki: Buffer
  readonly extensions: Buffer
  readonly key: KeyObject
}

function signed({ issuer, subject, validity, spki, extensions: extra, key }: Parts): string {
  const { algorithm, hash } = signatureOf(key)
  // Positive and without leading zeros: the top bits are 01.
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x3f) | 0x40
  const content = sequence(
    der(0xa0, der(tag.integer, Buffer.from([2]))),
    der(tag.integer, serial),
    ...[algorithm, issuer, validity, subject, spki, extra],
  )
  return pem(sequence(content, algorithm, bitString(sign(hash, content, key))))
}

/** How an authority's key signs. */
function signatureOf(key: KeyObject): { readonly algorithm: Buffer; readonly hash: string } {
  if (key.asymmetricKeyType === 'rsa')
    return { algorithm: sequence(objectId(objectIds.sha256WithRsa), der(tag.null)), hash: 'sha256' }
  const curve = key.asymmetricKeyDetails?.namedCurve
  if (curve === 'secp384r1') return { algorithm: sequence(objectId(objectIds.ecdsaWithSha384)), hash: 'sha384' }
  if (curve === 'secp521r1') return { algorithm: sequence(objectId(objectIds.ecdsaWithSha512)), hash: 'sha512' }
  return { algorithm: sequence(objectId(objectIds.ecdsaWithSha256)), hash: 'sha256' }
}

/** The subject's bytes as they stand in the certificate: names must match byte for byte. */
function subjectOf(certificate: X509Certificate): Buffer {
  const content = inside(inside(certificate.raw, 0).bytes, 0)
  // version, serial, signature, issuer, validity, subject
  let offset = 0
  for (let field = 0; field < 5; field++) offset = inside(content.bytes, offset).end
  return content.bytes.subarray(offset, inside(content.bytes, offset).end)
}

function inside(bytes: Buffer, offset: number): { bytes: Buffer; end: number } {
  const first = bytes[offset + 1]!
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(offset + 2, lengthBytes)
  const start = offset + 2 + lengthBytes
  return { bytes: bytes.subarray(start, start + length), end: start + length }
}
