// Gives each case what it works with: a namespace, kubectl and helm on the cluster, a directory, and patience.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Any, Case, CaseContext } from './case.ts'
import { type CommandOptions, type CommandResult, runCommand, words } from './command.ts'
import type { HttpClient } from './http.ts'

export interface Bench {
  readonly kubectl: string
  readonly helm: string
  readonly kubeconfig: string
  readonly http: HttpClient
  /** Where files of cases, and the caches of kubectl and helm, are put. */
  readonly directory: string
  /** Added to every name, so that one cluster can see the same case twice. */
  readonly suffix: string
  /** Makes and removes the namespaces; default `http`. */
  readonly setUp?: HttpClient
  /** Cuts every wait of a case to this, when the case is meant to fail. */
  readonly patienceMs?: number
}

const eventuallyTimeoutMs = 30_000
const eventuallyPauseMs = 150
const readyTimeoutMs = 20_000
const namespaceCharactersMax = 63
/** How much longer than a wait a whole command may take, when the case is meant to fail. */
const commandPatience = 3

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Repeats a check until it does not throw. */
export async function eventually<T>(check: () => Promise<T>, timeoutMs = eventuallyTimeoutMs): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await pause(eventuallyPauseMs)
    }
  }
}

/** The case could not even begin: this says nothing about what it checks. */
export class SetUpError extends Error {
  override readonly name = 'SetUpError'
}

/** Runs one case in a namespace of its own; rejects when it fails. */
export async function runCase(given: Case, bench: Bench): Promise<void> {
  const base = given.id.replace(/[^a-z0-9]+/g, '-').slice(0, namespaceCharactersMax - bench.suffix.length)
  const name = `${base}${bench.suffix}`
  try {
    await createNamespace(bench, name)
  } catch (cause) {
    throw new SetUpError(`set-up of ${given.id}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  try {
    await given.run(createContext(bench, name))
  } finally {
    const setUp = bench.setUp ?? bench.http
    await setUp.send({ method: 'DELETE', path: `/api/v1/namespaces/${name}` }).catch(() => undefined)
  }
}

async function createNamespace(bench: Bench, name: string): Promise<void> {
  const setUp = bench.setUp ?? bench.http
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  const create = () => setUp.send({ method: 'POST', path: '/api/v1/namespaces', body })
  let answer = await create()
  // A case that is tried again finds the namespace of its first try, which is on its way out.
  for (const deadline = Date.now() + readyTimeoutMs; answer.code === 409 && Date.now() < deadline; answer = await create()) await pause(eventuallyPauseMs)
  if (answer.code !== 201) throw new Error(`cannot create namespace ${name}: ${answer.code} ${answer.text}`)
  // Pods need the service account; a controller makes it a moment later.
  await eventually(async () => {
    const account = await setUp.send({ path: `/api/v1/namespaces/${name}/serviceaccounts/default` })
    if (account.code !== 200) throw new Error(`namespace ${name} has no service account: ${account.text}`)
  }, readyTimeoutMs)
}

function createContext(bench: Bench, namespace: string): CaseContext {
  const directory = join(bench.directory, namespace)
  mkdirSync(directory, { recursive: true })
  const env = {
    KUBECONFIG: bench.kubeconfig,
    HOME: bench.directory,
    KUBECACHEDIR: join(bench.directory, `cache${bench.suffix}`),
    // The warnings about the age of a kubectl, and colours, are of no use here.
    KUBECTL_COLORS: 'false',
    HELM_PLUGINS: join(bench.directory, 'no-plugins'),
  }
  const { patienceMs } = bench
  const start = (path: string, line: string | readonly string[], options: CommandOptions): Promise<CommandResult> => {
    const args = ['--namespace', namespace, ...(typeof line === 'string' ? words(line) : line)]
    return runCommand(path, patienceMs === undefined ? args : args.map((arg) => hurried(arg, patienceMs)), {
      ...options,
      ...(patienceMs === undefined ? {} : { timeoutMs: commandPatience * patienceMs }),
      env: { ...env, ...options.env },
    })
  }
  const must = async (running: Promise<CommandResult>): Promise<string> => {
    const result = await running
    if (result.code !== 0) throw new Error(told(result))
    return result.stdout
  }
  const mustFail = async (running: Promise<CommandResult>): Promise<string> => {
    const result = await running
    if (result.code === 0 || result.timedOut) throw new Error(`should have failed: ${told(result)}`)
    return result.stderr
  }
  const k = (line: string | readonly string[], options: CommandOptions = {}): Promise<string> =>
    must(start(bench.kubectl, line, options))

  return {
    namespace,
    k,
    kFails: (line, options = {}) => mustFail(start(bench.kubectl, line, options)),
    kAll: (line, options = {}) => start(bench.kubectl, line, options),
    get: async (what) => JSON.parse(await k(`get ${what} -o json`)) as Any,
    feed: (line, ...manifests) => k(line, { stdin: manifests.map((manifest) => JSON.stringify(manifest)).join('\n') }),
    helm: (line, options = {}) => must(start(bench.helm, line, options)),
    helmFails: (line, options = {}) => mustFail(start(bench.helm, line, options)),
    http: (request) =>
      bench.http.send({
        ...(patienceMs === undefined ? {} : { timeoutMs: patienceMs }),
        ...request,
        path: request.path.replaceAll('{ns}', namespace),
      }),
    file(name, content) {
      const path = join(directory, name)
      mkdirSync(join(path, '..'), { recursive: true })
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o755 })
      return path
    },
    eventually: (check, timeoutMs) => eventually(check, patienceMs ?? timeoutMs),
  }
}

/** `--timeout=60s` with less patience. */
const hurried = (arg: string, patienceMs: number): string =>
  arg.replace(
    /^(--timeout=)?\d+s$/,
    (_all, flag: string | undefined) => `${flag ?? ''}${Math.ceil(patienceMs / 1000)}s`,
  )

const told = (result: CommandResult): string =>
  `${result.command}\nexit code ${result.code}${result.timedOut ? ' (deadline)' : ''}\n${result.stderr}${result.stdout}`.slice(
    0,
    4000,
  )
