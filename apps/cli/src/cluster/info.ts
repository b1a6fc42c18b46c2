// `shiplog info` and `shiplog version`: where things are and which versions these are.
import { join, resolve } from 'node:path'
import { recordedLog } from '@shiplog/all-in-one/open-log'
import { shiplogVersion } from '@shiplog/runtime/version'

const kubernetesVersion = 'v1.36.0'

export const versionLines = (): string[] => [
  `Shiplog     ${shiplogVersion}`,
  `Kubernetes  ${kubernetesVersion} (API)`,
  `Node        ${process.version}`,
]

export function info(options: { readonly dataDir: string }): void {
  const dataDir = resolve(options.dataDir)
  const lines: (readonly [string, string])[] = [
    ['data directory', dataDir],
    ['log', recordedLog(dataDir) ?? 'none yet'],
    ['kubeconfig', join(dataDir, 'kubeconfig')],
    ['certificates', join(dataDir, 'pki')],
    ['embedded log', join(dataDir, 'log.db')],
    ['encryption', join(dataDir, 'encryption.yaml')],
    ['nats-server', join(dataDir, 'nats')],
    ['lock', join(dataDir, 'lock')],
  ]
  for (const [what, where] of lines) process.stdout.write(`${`${what}:`.padEnd(16)}${where}\n`)
}
