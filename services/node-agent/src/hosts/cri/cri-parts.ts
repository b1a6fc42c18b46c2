// What the parts of a node of containers have in common, and the sandbox of a pod as they all name it.
import { join } from 'node:path'
import type { ApiClient } from '@shiplog/api/api-client'
import type { Pod } from '@shiplog/api/generated/types/core-v1'
import type { CriClient } from '@shiplog/node/cri/cri-client'
import type { SandboxConfigMessage } from '@shiplog/node/cri/cri-messages'
import type { CriRuntime } from '@shiplog/node/cri/cri-runtime'
import { type NodeMounts, podDirectory } from '@shiplog/node/cri/cri-volumes'
import { podLogDirectory } from '@shiplog/node/pod-directories'
import type { Ids } from '@shiplog/runtime/ids'
import type { ProbeNetwork } from '../probe-call.ts'
import type { References } from '../references.ts'
import type { CredentialProvider } from './credential-providers.ts'
import type { ImageCollectionPolicy } from './image-collector.ts'
import type { ImagePuller } from './image-puller.ts'
import type { NodeNames } from './pod-names.ts'
import { sandboxConfig } from './sandbox-config.ts'

export interface CriNode {
  readonly client: CriClient
  /** `containerd` and its version. */
  readonly runtimeName: string
  readonly runtimeVersion: string
  readonly mounts: NodeMounts
  /** Parent of the cgroups of its pods. */
  readonly cgroupParent: string
  readonly names: NodeNames
  readonly imageCollection: ImageCollectionPolicy
  readonly credentialProviders?: { readonly providers: readonly CredentialProvider[]; readonly binDir: string }
  /** The way to pods and nodes. */
  readonly network: ProbeNetwork
  /**
   * Resolves when a pod with addresses of its own may be started: what keeps traffic from it is in place. Rejects after a
   * time of its own. Absent: nobody keeps anything away. `key` is `namespace/name`.
   */
  readonly admitToNetwork?: (pod: { readonly uid: string; readonly node: string; readonly key: string }, addresses: readonly string[]) => Promise<void>
}

export interface CriParts {
  readonly node: CriNode
  readonly api: ApiClient
  readonly references: References
  readonly puller: ImagePuller
  readonly runtime: CriRuntime
  readonly ids: Ids
}

export const sandboxConfigOf =
  ({ node }: CriParts, pod: Pod) =>
  (attempt: number): SandboxConfigMessage =>
    sandboxConfig({
      ...{ pod, attempt, names: node.names, cgroupParent: node.cgroupParent },
      logDirectory: podLogDirectory(node.mounts.directory, identityOf(pod)),
      profilesDir: join(node.mounts.directory, 'kubelet', 'seccomp'),
    })

const identityOf = ({ metadata }: Pod) => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
  uid: metadata.uid,
})

export const hostsPathOf = ({ node }: CriParts, podUid: string): string => join(podDirectory(node.mounts.directory, podUid), 'etc-hosts')
