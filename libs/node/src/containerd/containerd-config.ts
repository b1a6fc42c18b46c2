// The configuration of a containerd of ours, and of the network of its pods. Pure.
import { pauseImage } from './pause-image.ts'

export interface ContainerdConfigInput {
  readonly version: string
  /** Where images and snapshots are kept; outlives the machine's next start. */
  readonly rootDir: string
  readonly cniConfDir: string
  readonly cniBinDir: string
  readonly certsDir: string
  readonly runc: string
  /** Where containerd's server of streams listens; the agent calls it from the network between the nodes. */
  readonly streamAddress: string
}

/** All of it private to the node: /run is, in the mount namespace of a node. */
export const containerdSocket = '/run/containerd/containerd.sock'
const stateDir = '/run/containerd'

const disabled = [
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.erofs',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.nri.v1.nri',
]

/** A TOML string. JSON's escapes are TOML's as well. */
const text = (value: string): string => JSON.stringify(value)

export function containerdConfig(input: ContainerdConfigInput): string {
  const head = (version: number): string[] => [
    `version = ${version}`,
    `root = ${text(input.rootDir)}`,
    `state = ${text(stateDir)}`,
    `disabled_plugins = [${disabled.map(text).join(', ')}]`,
    '[grpc]',
    `  address = ${text(containerdSocket)}`,
  ]
  const lines = Number(input.version.split('.')[0]) >= 2 ? [...head(3), ...ofVersion2(input)] : [...head(2), ...ofVersion1(input)]
  return `${lines.join('\n')}\n`
}

function ofVersion2(input: ContainerdConfigInput): string[] {
  const images = '[plugins."io.containerd.cri.v1.images"'
  const runtime = '[plugins."io.containerd.cri.v1.runtime"'
  return [
    `${images}]`,
    '  snapshotter = "overlayfs"',
    `${images}.pinned_images]`,
    `  sandbox = ${text(pauseImage)}`,
    `${images}.registry]`,
    `  config_path = ${text(input.certsDir)}`,
    `${runtime}]`,
    ...criSettings,
    `${runtime}.cni]`,
    `  bin_dirs = [${text(input.cniBinDir)}]`,
    `  conf_dir = ${text(input.cniConfDir)}`,
    `${runtime}.containerd]`,
    '  default_runtime_name = "runc"',
    ...runtimes(`${runtime}.containerd.runtimes`, input.runc),
    '[plugins."io.containerd.grpc.v1.cri"]',
    `  stream_server_address = ${text(input.streamAddress)}`,
  ]
}

function ofVersion1(input: ContainerdConfigInput): string[] {
  const cri = '[plugins."io.containerd.grpc.v1.cri"'
  return [
    `${cri}]`,
    `  sandbox_image = ${text(pauseImage)}`,
    `  stream_server_address = ${text(input.streamAddress)}`,
    ...criSettings.filter((line) => !line.includes('enable_cdi')),
    `${cri}.registry]`,
    `  config_path = ${text(input.certsDir)}`,
    `${cri}.cni]`,
    `  bin_dir = ${text(input.cniBinDir)}`,
    `  conf_dir = ${text(input.cniConfDir)}`,
    ...runtimes(`${cri}.containerd.runtimes`, input.runc),
  ]
}

/** oom scores below containerd's own cannot be had without more rights; AppArmor is not everywhere. */
const criSettings = [
  '  restrict_oom_score_adj = true',
  '  disable_apparmor = true',
  '  enable_cdi = false',
  '  netns_mounts_under_state_dir = true',
]

/** The second is what Kubernetes' suite names in its RuntimeClasses. */
const handlers = ['runc', 'test-handler']

const runtimes = (prefix: string, runc: string): string[] =>
  handlers.flatMap((handler) => [
    `${prefix}.${handler}]`,
    '  runtime_type = "io.containerd.runc.v2"',
    `${prefix}.${handler}.options]`,
    `  BinaryName = ${text(runc)}`,
    '  SystemdCgroup = false',
  ])

export interface PodNetworkInput {
  /** One range of each family: `10.244.1.0/24`. */
  readonly podCIDRs: readonly string[]
  /** Where addresses that are taken are written down. */
  readonly dataDir: string
}

const everywhere = (cidr: string): string => (cidr.includes(':') ? '::/0' : '0.0.0.0/0')

/** Pods of a node share a bridge; addresses are the node's to give. Ports of the node lead to pods by nftables. */
export const podNetwork = ({ podCIDRs, dataDir }: PodNetworkInput): object => ({
  cniVersion: '1.0.0',
  name: 'shiplog',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir,
        ranges: podCIDRs.map((subnet) => [{ subnet }]),
        routes: podCIDRs.map((subnet) => ({ dst: everywhere(subnet) })),
      },
    },
    { type: 'portmap', backend: 'nftables', capabilities: { portMappings: true } },
  ],
})
