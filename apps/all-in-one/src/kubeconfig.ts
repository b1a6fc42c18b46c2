// The kubeconfig of the administrator: written anew at every start, because the port may be another one.
import { writeSecretFile } from '@shiplog/runtime/secret-files'

export interface KubeconfigContent {
  readonly server: string
  /** PEM, all three. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

export const kubeconfigText = ({ server, ca, certificate, key }: KubeconfigContent): string => `apiVersion: v1
kind: Config
clusters:
- name: shiplog
  cluster:
    server: ${server}
    certificate-authority-data: ${base64(ca)}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: ${base64(certificate)}
    client-key-data: ${base64(key)}
contexts:
- name: shiplog
  context:
    cluster: shiplog
    user: kubernetes-admin
current-context: shiplog
preferences: {}
`

/** Whole or not at all, and for the owner's eyes only. */
export const writeKubeconfig = (path: string, content: KubeconfigContent): void =>
  writeSecretFile(path, kubeconfigText(content))
