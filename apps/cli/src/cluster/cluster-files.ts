// Where a data directory keeps what its cluster is known by: `up` and `apart` lay it out differently.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface ClusterFiles {
  readonly kubeconfig: string
  /** Holds ca.crt, admin.crt and admin.key. */
  readonly pki: string
}

export function clusterFiles(dataDir: string): ClusterFiles {
  const apart = join(dataDir, 'admin', 'kubeconfig')
  return existsSync(apart)
    ? { kubeconfig: apart, pki: join(dataDir, 'authority') }
    : { kubeconfig: join(dataDir, 'kubeconfig'), pki: join(dataDir, 'pki') }
}
