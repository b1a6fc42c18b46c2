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
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

const objectIds = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
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

/** The identifier of a key: SHA-1 of its public point, which is all but the fixed head of a P-256 SubjectPublicKeyInfo. */
const keyIdentifier = (spki: Buffer): Buffer => createHash('sha1').update(spki.subarray(-65)).digest()

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

function extensions(request: CertificateRequest, spki: Buffer, issuerSpki: Buffer): Buffer {
  const isAuthority = request.use === 'authority'
  // keyUsage bits, from the left: digitalSignature 0, keyEncipherment 2, keyCertSign 5, cRLSign 6.
  const usage = isAuthority ? bitString(Buffer.from([0b1000_0110]), 1) : bitString(Buffer.from([0b1000_0000]), 7)
  const list = [
    extension(objectIds.keyUsage, true, usage),
    extension(
      objectIds.basicConstraints,
      true,
      isAuthority ? sequence(der(tag.boolean, Buffer.from([0xff]))) : sequence(),
    ),
    extension(objectIds.subjectKeyIdentifier, false, der(tag.octetString, keyIdentifier(spki))),
    extension(objectIds.authorityKeyIdentifier, false, sequence(der(0x80, keyIdentifier(issuerSpki)))),
  ]
  if (!isAuthority) {
    const purpose = request.use === 'server' ? objectIds.serverAuth : objectIds.clientAuth
    list.push(extension(objectIds.extendedKeyUsage, false, sequence(objectId(purpose))))
  }
  const alternatives = [
    ...(request.dnsNames ?? []).map((dnsName) => der(0x82, Buffer.from(dnsName, 'latin1'))),
    ...(request.ipAddresses ?? []).map((address) => der(0x87, addressBytes(address))),
  ]
  if (alternatives.length > 0) list.push(extension(objectIds.subjectAltName, false, sequence(...alternatives)))
  return der(0xa3, sequence(...list))
}

const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' }) as Buffer

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`

/** Makes a certificate for `publicKey`, signed by `issuer`, or by itself when there is none. Gives PEM. */
export function issueCertificate(request: CertificateRequest, keys: KeyPair, issuer?: Authority): string {
  const signature = sequence(objectId(objectIds.ecdsaWithSha256))
  const subject = name(request.commonName, request.organizations ?? [])
  const issuerCertificate = issuer && new X509Certificate(issuer.certificate)
  const issuerSpki = issuerCertificate ? spkiOf(issuerCertificate.publicKey) : spkiOf(keys.publicKey)
  const spki = spkiOf(keys.publicKey)
  // Positive and without leading zeros: the top bits are 01.
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x3f) | 0x40
  const content = sequence(
    der(0xa0, der(tag.integer, Buffer.from([2]))),
    der(tag.integer, serial),
    signature,
    issuerCertificate ? subjectOf(issuerCertificate) : subject,
    sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    subject,
    spki,
    extensions(request, spki, issuerSpki),
  )
  const signed = sign('sha256', content, issuer?.key ?? keys.privateKey)
  return pem(sequence(content, signature, bitString(signed)))
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
