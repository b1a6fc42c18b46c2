// The file that says what is encrypted, and with which keys. Without a named one there is `encryption.yaml` beside the
// cluster's other secrets: it is made at the first start, with one key, for Secrets.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeSecretFile } from '@shiplog/runtime/secret-files'
import { dataKeyBytes } from './payload.ts'

export const configurationFileIn = (dataDir: string): string => join(dataDir, 'encryption.yaml')

/** The file, made where there is none. */
export function ensureConfigurationFile(file: string, keyName: string): string {
  if (!existsSync(file)) writeSecretFile(file, configurationText(keyName))
  return file
}

const newSecret = (): string => randomBytes(dataKeyBytes).toString('base64')

/** As it is made at first. */
export const configurationText = (keyName: string): string => `# What the log holds encrypted, and with which keys. Whoever has this file and the store of keys can read it: keep a copy
# of it apart from backups of the cluster. Without it everything that it encrypts is lost.
kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
  - resources: [secrets]
    providers:
      - aesgcm:
          keys:
            - name: ${keyName}
              secret: ${newSecret()}
      - identity: {}
`

/**
 * Puts a new key before the others of the first aesgcm provider, where a file has the form above. Undefined where it has
 * another one: then its owner knows it better.
 */
export function withNewKey(text: string, keyName: string): string | undefined {
  const lines = /^( *)keys:\n(?= *- name: )/m
  const provider = /aesgcm:\n/.exec(text)
  if (!provider) return undefined
  const [before, after] = [text.slice(0, provider.index + provider[0].length), text.slice(provider.index + provider[0].length)]
  const found = lines.exec(after)
  if (found?.index !== 0) return undefined
  const indent = `${found[1]}  `
  return `${before}${found[0]}${indent}- name: ${keyName}\n${indent}  secret: ${newSecret()}\n${after.slice(found[0].length)}`
}

export const readConfigurationFile = (file: string): string => readFileSync(file, 'utf8')
