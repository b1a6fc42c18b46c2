// Credentials of the node itself: programs beside it (credential provider plug-ins) that say for an image what its registry wants.
// Configuration, questions and answers are the kubelet's; what they answer is kept as long as they say.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { decodeBody, yamlMediaType } from '@shiplog/api/decode/decode'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import type { Clock } from '@shiplog/runtime/clock'
import type { Logger } from '@shiplog/runtime/logger'
import { durationMs } from '../../eviction/thresholds.ts'
import { type Credentials, credentialsAmong, isOf, placeOf } from './keyring.ts'

/** As upstream's: a program that hangs is ended. */
const answerTimeoutMs = 60_000
const answerBytesMax = 1 << 20
/** Answers that are remembered; the one that was asked for longest ago goes. */
const rememberedMax = 1_000
const version = 'credentialprovider.kubelet.k8s.io/v1'
const configVersion = 'kubelet.config.k8s.io/v1'

export interface CredentialProvider {
  /** Of the program, in the directory of them. */
  readonly name: string
  /** For which images it is asked: `*.registry.example/team`. */
  readonly matchImages: readonly string[]
  readonly defaultCacheDuration: string
  readonly apiVersion: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value: string }[]
  readonly tokenAttributes?: unknown
}

interface Answer {
  readonly kind?: string
  readonly apiVersion?: string
  readonly cacheKeyType?: string
  readonly cacheDuration?: string
  readonly auth?: Readonly<Record<string, { readonly username?: string; readonly password?: string }>>
}

export type NodeCredentials = (image: string) => Promise<readonly Credentials[]>

/** Reads a file, or all of a directory. Throws with a sentence about what is wrong. */
export function readCredentialProviders(path: string): CredentialProvider[] {
  const files = statSync(path).isDirectory() ? readdirSync(path).filter((name) => /\.(json|ya?ml)$/.test(name)).sort().map((name) => join(path, name)) : [path]
  if (files.length === 0) throw new Error(`no configuration files found in directory "${path}"`)
  const providers = files.flatMap((file) => {
    const { value } = decodeBody(readFileSync(file), yamlMediaType, builtInRegistry())
    const config = value as unknown as { readonly kind?: string; readonly apiVersion?: string; readonly providers?: readonly CredentialProvider[] }
    if (config?.kind !== 'CredentialProviderConfig' || config.apiVersion !== configVersion) throw new Error(`${file} is no CredentialProviderConfig of ${configVersion}`)
    return config.providers ?? []
  })
  if (providers.length === 0) throw new Error(`${path}: at least 1 item in plugins is required`)
  const names = new Set<string>()
  for (const provider of providers) {
    const wrong = problemOf(provider)
    if (wrong !== undefined) throw new Error(`credential provider "${provider.name}": ${wrong}`)
    if (names.has(provider.name)) throw new Error(`duplicate provider name "${provider.name}" found in configuration file(s)`)
    names.add(provider.name)
  }
  return providers
}

function problemOf({ name, matchImages, defaultCacheDuration, apiVersion, tokenAttributes }: CredentialProvider): string | undefined {
  if (typeof name !== 'string' || !/^[^\s/]+$/.test(name) || name === '.' || name === '..') return 'the name is that of a program in the directory of plug-ins'
  if (!Array.isArray(matchImages) || matchImages.length === 0) return 'at least 1 item in matchImages is required'
  if (apiVersion !== version) return `unsupported apiVersion "${apiVersion}": ${version} is`
  if (tokenAttributes !== undefined && tokenAttributes !== null) return 'tokenAttributes are not there yet: plug-ins get no tokens of ServiceAccounts'
  try {
    durationMs(defaultCacheDuration)
  } catch {
    return 'defaultCacheDuration is required'
  }
  return undefined
}

/** What a node's settings say of them, read. Throws with a sentence about what is wrong. */
export const providersOf = (settings: { readonly config: string; readonly binDir: string } | undefined) =>
  settings === undefined ? {} : { credentialProviders: { providers: readCredentialProviders(settings.config), binDir: settings.binDir } }

export interface NodeCredentialsDeps {
  readonly providers: readonly CredentialProvider[]
  /** Of the programs. */
  readonly binDir: string
  readonly clock: Pick<Clock, 'nowMs'>
  readonly log: Pick<Logger, 'warn'>
}

interface Kept {
  readonly answer: Answer
  readonly untilMs: number
}

/** What the programs say of an image. One that fails says nothing. */
export function createNodeCredentials(deps: NodeCredentialsDeps): NodeCredentials {
  const kept = new Map<string, Kept>()
  const asking = new Map<string, Promise<Answer>>()
  return async (image) => {
    const fitting = deps.providers.filter(({ matchImages }) => matchImages.some((pattern) => isOf(placeOf(pattern) ?? '', image)))
    const answers = await Promise.all(
      fitting.map(async (provider) => {
        try {
          return keptAnswer(deps, kept, provider, image) ?? (await askOnce(deps, kept, asking, provider, image))
        } catch (err) {
          deps.log.warn({ err, provider: provider.name, image }, 'credential provider failed')
          return {}
        }
      }),
    )
    return answers.flatMap((answer) => credentialsOf(answer, image))
  }
}

const keysOf = ({ name }: CredentialProvider, image: string): Readonly<Record<string, string>> => ({
  Image: `${name} image ${image}`,
  Registry: `${name} registry ${image.slice(0, image.indexOf('/'))}`,
  Global: `${name} global`,
})

function keptAnswer({ clock }: NodeCredentialsDeps, kept: Map<string, Kept>, provider: CredentialProvider, image: string): Answer | undefined {
  for (const key of Object.values(keysOf(provider, image))) {
    const found = kept.get(key)
    if (found !== undefined && clock.nowMs() < found.untilMs) return found.answer
  }
  return undefined
}

async function askOnce(deps: NodeCredentialsDeps, kept: Map<string, Kept>, asking: Map<string, Promise<Answer>>, provider: CredentialProvider, image: string): Promise<Answer> {
  const id = `${provider.name} ${image}`
  const begun = asking.get(id)
  if (begun !== undefined) return await begun
  const asked = ask(deps, provider, image)
  asking.set(id, asked)
  try {
    const answer = await asked
    const key = keysOf(provider, image)[answer.cacheKeyType ?? '']
    if (key === undefined) throw new Error(`invalid cacheKeyType ${answer.cacheKeyType}`)
    kept.delete(key)
    kept.set(key, { answer, untilMs: deps.clock.nowMs() + durationMs(answer.cacheDuration ?? provider.defaultCacheDuration) })
    if (kept.size > rememberedMax) kept.delete(kept.keys().next().value!)
    return answer
  } finally {
    asking.delete(id)
  }
}

async function ask({ binDir }: NodeCredentialsDeps, { name, args = [], env = [], apiVersion }: CredentialProvider, image: string): Promise<Answer> {
  const request = JSON.stringify({ kind: 'CredentialProviderRequest', apiVersion, image })
  const variables = { ...process.env, ...Object.fromEntries(env.map((one) => [one.name, one.value])) }
  const text = await new Promise<string>((resolve, reject) => {
    const options = { env: variables, timeout: answerTimeoutMs, killSignal: 'SIGKILL', maxBuffer: answerBytesMax } as const
    const child = execFile(join(binDir, name), [...args], options, (error, stdout, stderr) =>
      error ? reject(new Error(`error execing credential provider plugin ${name} for image ${image}: ${stderr.slice(0, 1_000) || error.message}`)) : resolve(stdout),
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(request)
  })
  const answer = JSON.parse(text) as Answer
  if (answer.kind !== 'CredentialProviderResponse' || answer.apiVersion !== apiVersion)
    throw new Error(`apiVersion from credential plugin response did not match expected apiVersion:${apiVersion}, actual apiVersion:${answer.apiVersion}`)
  return answer
}

function credentialsOf({ auth }: Answer, image: string): Credentials[] {
  const entries = Object.entries(auth ?? {}).flatMap(([pattern, { username = '', password = '' }]) => {
    const place = placeOf(pattern)
    return place === undefined ? [] : [{ place, credentials: { username, password } }]
  })
  return credentialsAmong(image, entries)
}
