// The flags of kube-controller-manager that mean something here, and what they come to.
import { type IpRanges, parseIpRanges } from '@shiplog/api/ip-address'
import type { Flag, ParsedFlags } from './flags.ts'

const value = (help: string): Flag => ({ kind: 'value', help })
const list = (help: string): Flag => ({ kind: 'list', help })
const onOff = (help: string): Flag => ({ kind: 'switch', help })

export const controllerManagerFlags = {
  'allocate-node-cidrs': onOff('Give nodes ranges of addresses for their pods. Default false.'),
  'bind-address': value('The IP address of /healthz. Default 127.0.0.1.'),
  'cert-dir': value('Where the certificate of /healthz is made. Default /var/run/kubernetes.'),
  'cluster-cidr': value('Where addresses of pods come from: a range, or one of each family.'),
  'cluster-signing-cert-file': value('The authority that signs certificates that were asked for and approved.'),
  'cluster-signing-key-file': value('Its key.'),
  controllers: list('Which controllers run: * (all), -name (but this one), name.'),
  kubeconfig: value('Where the API server is, and who this is there. It must be a Shiplog, and its log may be read.'),
  'leader-elect': onOff('Whether several of these divide the work among themselves. Default true.'),
  'root-ca-file': value('The authority that pods are given; default that of the kubeconfig.'),
  'secure-port': value('The port of /healthz; default none.'),
  'service-account-private-key-file': value('The key that tokens in Secrets are signed with.'),
  'use-service-account-credentials': onOff('Taken and not looked at: all controllers are one user.'),
  v: value('How much is logged: 0 (warnings) to 4 and more (everything).'),
  version: onOff('Print the version and end.'),
} as const satisfies Readonly<Record<string, Flag>>

export interface ControllerManagerOptions {
  readonly kubeconfig: string
  readonly controllers: readonly string[]
  readonly leaderElect: boolean
  readonly signing: { readonly certificate: string; readonly key: string } | undefined
  readonly tokenKey: string | undefined
  readonly rootCa: string | undefined
  readonly nodeCidrs: { readonly podRanges: IpRanges | undefined } | undefined
  readonly host: string
  /** 0: no health is served. */
  readonly port: number
  readonly certDir: string
}

/** Reads all of it; `read` gives the text of a file. Throws a sentence about what is wrong. */
export function readControllerManagerOptions(
  flags: ParsedFlags<typeof controllerManagerFlags>,
  read: (path: string) => string,
): ControllerManagerOptions {
  const kubeconfig = flags.value('kubeconfig')
  if (!kubeconfig) throw new Error('--kubeconfig is needed: it says where the API server is')
  const file = (name: keyof typeof controllerManagerFlags): string | undefined => {
    const path = flags.value(name)
    return path ? read(path) : undefined
  }
  const [certificate, key] = [file('cluster-signing-cert-file'), file('cluster-signing-key-file')]
  if ((certificate === undefined) !== (key === undefined))
    throw new Error('--cluster-signing-cert-file and --cluster-signing-key-file belong together')
  const controllers = flags.list('controllers')
  const clusterCidr = flags.value('cluster-cidr')
  return {
    kubeconfig,
    controllers: controllers.length > 0 ? controllers : ['*'],
    leaderElect: flags.isOn('leader-elect') ?? true,
    signing: certificate !== undefined && key !== undefined ? { certificate, key } : undefined,
    tokenKey: file('service-account-private-key-file'),
    rootCa: file('root-ca-file'),
    nodeCidrs: flags.isOn('allocate-node-cidrs') ? { podRanges: clusterCidr ? parseIpRanges(clusterCidr) : undefined } : undefined,
    host: flags.value('bind-address') ?? '127.0.0.1',
    port: Number(flags.value('secure-port') ?? 0),
    certDir: flags.value('cert-dir') ?? '/var/run/kubernetes',
  }
}
