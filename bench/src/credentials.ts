// What a load generator needs of the kubeconfig that a cluster wrote. The file's form is our own, so no YAML parser.
import { readFileSync } from 'node:fs'

export interface Credentials {
  readonly host: string
  readonly port: number
  /** PEM, all three. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export function readCredentials(kubeconfig: string): Credentials {
  const text = readFileSync(kubeconfig, 'utf8')
  const value = (name: string): string => {
    const found = new RegExp(`^\\s*${name}: *(\\S+)$`, 'm').exec(text)?.[1]
    if (found === undefined) throw new Error(`${kubeconfig} has no ${name}`)
    return found
  }
  const pem = (name: string): string => Buffer.from(value(name), 'base64').toString('utf8')
  const { hostname, port } = new URL(value('server'))
  return {
    host: hostname,
    port: Number(port),
    ca: pem('certificate-authority-data'),
    cert: pem('client-certificate-data'),
    key: pem('client-key-data'),
  }
}
