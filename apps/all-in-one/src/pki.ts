// The cluster's keys and certificates, kept in `<data-dir>/pki` (mode 0600): made at the first start, used again after
// it, renewed before they end. Each file is written beside its place and renamed, so a crash leaves whole files only.
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicTokenKeys } from '@shiplog/control-plane/identity/token-keys'
import { closeTree, writeSecretFile } from '@shiplog/runtime/secret-files'
import {
  type Authority,
  type CertificateRequest,
  issueCertificate,
  keyPem,
  newKeyPair,
} from '@shiplog/control-plane/identity/certificate'

export interface Pki {
  /** PEM, all of them. */
  readonly ca: string
  readonly server: { readonly certificate: string; readonly key: string }
  readonly admin: { readonly certificate: string; readonly key: string }
  /** By their names in `PkiOptions.clients`. */
  readonly clients: Readonly<Record<string, { readonly certificate: string; readonly key: string }>>
  /** By which others' API servers know the gateway: signed by an authority of its own, which signs nothing else. */
  readonly frontProxy: { readonly ca: string; readonly certificate: string; readonly key: string }
  /** Signs the tokens of service accounts. */
  readonly serviceAccountKey: string
  /** All public keys that such a token may be signed with: a key that was removed stays among them until it is taken out. */
  readonly serviceAccountPublicKeys: string
  /** Signs certificates. */
  readonly caKey: string
  /** How many of them had to be made now; 0 at an ordinary start. */
  readonly made: number
  /** What somebody must know who has copies of these files; one sentence each. */
  readonly notes: readonly string[]
}

const dayMs = 86_400_000
const authorityDays = 3_650
const leafDays = 365
/** Certificates that end within this time are made anew at start. */
const renewBeforeDays = 30
/** Clocks of clients may be behind. */
const backdateMs = 3_600_000

const serverNames = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
]
/** Loopback and the first address of the service range, which the `kubernetes` Service has. */
const serverAddresses = ['127.0.0.1', '::1', '10.96.0.1']

export interface PkiOptions {
  readonly directory: string
  readonly nowMs: number
  /** Further names and addresses under which the server is reached. */
  readonly hosts?: readonly string[]
  /** Components that run apart, each with a certificate in `<name>.crt` and `<name>.key`. */
  readonly clients?: readonly Client[]
}

/** Who a client certificate speaks for. */
export interface Client {
  /** Of the files. */
  readonly name: string
  readonly user: string
  readonly groups?: readonly string[]
}

/** Loads what is there and makes what is missing, about to end, or not signed by the authority any more. */
export function loadPki(options: PkiOptions): Pki {
  const { directory, nowMs } = options
  closeTree(directory)
  let made = 0
  const notes: string[] = []

  const read = (file: string): string | undefined => {
    try {
      return readFileSync(join(directory, file), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
  const write = (file: string, text: string): void => writeSecretFile(join(directory, file), text)
  const parse = <T>(file: string, make: () => T): T => {
    try {
      return make()
    } catch (cause) {
      const path = join(directory, file)
      throw new Error(`${path} cannot be read; restore it, or remove ${directory} to have new keys made`, { cause })
    }
  }
  /** A private key. One that an earlier version wrote in another form is written anew: the same key, for more clients. */
  const readKey = (file: string): { key: KeyObject; text: string } | undefined => {
    const text = read(file)
    if (text === undefined) return undefined
    const key = parse(file, () => createPrivateKey(text))
    const wanted = keyPem(key)
    if (text.trim() !== wanted.trim()) write(file, wanted)
    return { key, text: wanted }
  }
  const validity = (days: number): Pick<CertificateRequest, 'notBeforeMs' | 'notAfterMs'> => ({
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: nowMs + days * dayMs,
  })

  function authority(file: string, commonName: string): Authority {
    const certificate = read(`${file}.crt`)
    const stored = readKey(`${file}.key`)
    if (certificate !== undefined && stored !== undefined) {
      const parsed = parse(`${file}.crt`, () => new X509Certificate(certificate))
      return isInTime(parsed) ? { certificate, key: stored.key } : renewedAuthority(file, commonName, parsed, stored.key)
    }
    made++
    const keys = newKeyPair()
    const request = { use: 'authority', commonName, ...validity(authorityDays) } as const
    const fresh = issueCertificate(request, keys)
    write(`${file}.key`, keyPem(keys.privateKey))
    write(`${file}.crt`, fresh)
    return { certificate: fresh, key: keys.privateKey }
  }

  /**
   * The clock was ahead when it was made, or it has come to its end: nobody trusts it now. The key stays, so what it has
   * signed stays signed; but copies of its certificate (kubeconfigs elsewhere) are as useless as before and must be made anew.
   */
  function renewedAuthority(file: string, commonName: string, old: X509Certificate, key: KeyObject): Authority {
    made++
    const request = { use: 'authority', commonName, ...validity(authorityDays) } as const
    const fresh = issueCertificate(request, { privateKey: key, publicKey: old.publicKey })
    write(`${file}.crt`, fresh)
    // Others read that of the front proxy in a ConfigMap, which is kept.
    if (file !== 'ca') return { certificate: fresh, key }
    const why = old.validFromDate.getTime() > nowMs ? 'was not valid yet (a clock was ahead)' : 'has come to its end'
    notes.push(`the certificate of the authority ${why} and was made anew: kubeconfigs that were copied elsewhere must be copied again`)
    return { certificate: fresh, key }
  }

  /** Valid now, and for a while. */
  function isInTime(certificate: X509Certificate): boolean {
    return (
      certificate.validFromDate.getTime() <= nowMs &&
      certificate.validToDate.getTime() > nowMs + renewBeforeDays * dayMs
    )
  }

  function leaf(
    file: string,
    request: Omit<CertificateRequest, 'notBeforeMs' | 'notAfterMs'>,
    issuer: Authority = ca,
  ): { certificate: string; key: string } {
    const certificate = read(`${file}.crt`)
    const stored = readKey(`${file}.key`)
    if (certificate !== undefined && stored !== undefined) {
      const parsed = parse(`${file}.crt`, () => new X509Certificate(certificate))
      const hosts = [...(request.dnsNames ?? []), ...(request.ipAddresses ?? [])]
      const good =
        parsed.verify(new X509Certificate(issuer.certificate).publicKey) &&
        isInTime(parsed) &&
        hosts.every((host) => (isAddress(host) ? parsed.checkIP(host) : parsed.checkHost(host)) !== undefined)
      if (good && parsed.checkPrivateKey(stored.key)) return { certificate, key: stored.text }
    }
    made++
    const keys = newKeyPair()
    const fresh = {
      certificate: issueCertificate({ ...request, ...validity(leafDays) }, keys, issuer),
      key: keyPem(keys.privateKey),
    }
    write(`${file}.key`, fresh.key)
    write(`${file}.crt`, fresh.certificate)
    return fresh
  }

  /**
   * Key rotation: whoever removes `sa.key` has another one made at the next start. The public keys of those before stay in
   * `sa.pub`, so that their tokens are taken until somebody removes them there.
   */
  function serviceAccountKeys(): { readonly signing: string; readonly verifying: string } {
    const stored = readKey('sa.key')
    const known = read('sa.pub') ?? ''
    const key = stored?.key ?? newKeyPair().privateKey
    const own = publicPem(createPublicKey(key))
    const ids = new Set(parse('sa.pub', () => publicTokenKeys(known)).map(({ id }) => id))
    const isKnown = publicTokenKeys(own).every(({ id }) => ids.has(id))
    const verifying = isKnown ? known : `${own}${known}`
    // The public half first: a token is not to be signed by what nobody can verify it with.
    if (!isKnown) write('sa.pub', verifying)
    if (stored) return { signing: stored.text, verifying }
    made++
    const signing = keyPem(key)
    write('sa.key', signing)
    return { signing, verifying }
  }

  const ca = authority('ca', 'shiplog-ca')
  const proxyCa = authority('front-proxy-ca', 'shiplog-front-proxy-ca')
  const more = options.hosts ?? []
  const server = leaf('apiserver', {
    use: 'server',
    commonName: 'kube-apiserver',
    dnsNames: [...serverNames, ...more.filter((host) => !isAddress(host))],
    ipAddresses: [...serverAddresses, ...more.filter(isAddress)],
  })
  const admin = leaf('admin', {
    use: 'client',
    commonName: 'kubernetes-admin',
    organizations: ['system:masters'],
  })
  const clients = Object.fromEntries(
    (options.clients ?? []).map(({ name, user, groups }) => [
      name,
      leaf(name, { use: 'client', commonName: user, ...(groups ? { organizations: [...groups] } : {}) }),
    ]),
  )
  const frontProxy = {
    ca: proxyCa.certificate,
    ...leaf('front-proxy-client', { use: 'client', commonName: 'front-proxy-client' }, proxyCa),
  }
  const { signing: serviceAccountKey, verifying: serviceAccountPublicKeys } = serviceAccountKeys()
  const caKey = keyPem(ca.key)
  return { ca: ca.certificate, caKey, server, admin, clients, frontProxy, serviceAccountKey, serviceAccountPublicKeys, made, notes }
}

const publicPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string

const isAddress = (host: string): boolean => host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host)
