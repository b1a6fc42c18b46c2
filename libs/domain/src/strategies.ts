// Which rules a kind has: `strategyFor('deployments.apps')`. Kinds without an entry have the generic rules only.
import { certificateSigningRequestStrategy } from './certificate-signing-request/certificate-signing-request.strategy.ts'
import { configMapStrategy } from './config-map/config-map.strategy.ts'
import { deploymentStrategy } from './deployment/deployment.strategy.ts'
import { namespaceStrategy } from './namespace/namespace.strategy.ts'
import { nodeStrategy } from './node/node.strategy.ts'
import { podStrategy } from './pod/pod.strategy.ts'
import { replicaSetStrategy } from './replica-set/replica-set.strategy.ts'
import { secretStrategy } from './secret/secret.strategy.ts'
import { serviceAccountStrategy } from './service-account/service-account.strategy.ts'
import { serviceStrategy } from './service/service.strategy.ts'
import type { Strategy } from './strategy.ts'

const generic: Strategy = {}

const strategies = new Map<string, Strategy>([
  ['certificatesigningrequests.certificates.k8s.io', certificateSigningRequestStrategy],
  ['configmaps', configMapStrategy],
  ['deployments.apps', deploymentStrategy],
  ['namespaces', namespaceStrategy],
  ['nodes', nodeStrategy],
  ['pods', podStrategy],
  ['replicasets.apps', replicaSetStrategy],
  ['secrets', secretStrategy],
  ['serviceaccounts', serviceAccountStrategy],
  ['services', serviceStrategy],
])

/** The rules of a resource by its group and plural: `pods`, `deployments.apps`. */
export const strategyFor = (groupResource: string): Strategy => strategies.get(groupResource) ?? generic
