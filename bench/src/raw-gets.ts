// Starts raw-server.ts with the keys of a cluster, so that the same load generator can be pointed at it.
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { BenchCluster } from './cluster.ts'
import type { Credentials } from './credentials.ts'
import type { RawServerSetup } from './raw-server.ts'

export interface RawServer {
  readonly credentials: Credentials
  readonly pid: number
  close(): void
}

export function startRawServer(cluster: BenchCluster, bodyBytes: number): Promise<RawServer> {
  const pki = join(dirname(cluster.kubeconfig), 'pki')
  const { credentials } = cluster
  const child = fork(join(import.meta.dirname, 'raw-server.ts'), { execArgv: [] })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('message', (port) =>
      resolve({
        credentials: { ...credentials, port: Number(port) },
        pid: child.pid!,
        close: () => child.disconnect(),
      }),
    )
    child.send({
      ca: credentials.ca,
      cert: readFileSync(join(pki, 'apiserver.crt'), 'utf8'),
      key: readFileSync(join(pki, 'apiserver.key'), 'utf8'),
      bodyBytes,
    } satisfies RawServerSetup)
  })
}
