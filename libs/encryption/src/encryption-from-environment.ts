// Encryption for a process that runs alone, as its environment says:
//
//   SHIPLOG_ENCRYPTION_PROVIDER_CONFIG   file: the EncryptionConfiguration, the same for all who read what Secrets hold
import type { Environment } from '@shiplog/runtime/environment'
import { type Encryption, type EncryptionOptions, openEncryption } from './open-encryption.ts'

export interface EncryptionFromEnvironmentOptions extends Omit<EncryptionOptions, 'file'> {
  readonly env: Environment
}

/** Throws without the variable: records would be unreadable, or written in the clear. */
export const encryptionFromEnvironment = ({ env, ...options }: EncryptionFromEnvironmentOptions): Promise<Encryption> =>
  openEncryption({ ...options, file: env.required('SHIPLOG_ENCRYPTION_PROVIDER_CONFIG') })

/** Undefined without the variable: for who can do without what encrypted records hold. */
export const optionalEncryption = async (options: EncryptionFromEnvironmentOptions): Promise<Encryption | undefined> =>
  options.env.optional('SHIPLOG_ENCRYPTION_PROVIDER_CONFIG') === undefined ? undefined : await encryptionFromEnvironment(options)
