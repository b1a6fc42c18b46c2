// apt with directories of its own: packages are downloaded and unpacked without touching what the system has installed.
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const commandTimeoutMs = 300_000
const outputBytesMax = 16 << 20

export type Apt = (...args: readonly string[]) => Promise<void>

/**
 * An apt whose every directory is private, and which believes that nothing is installed. Packages come from `source`, a
 * line of sources.list; from where the system's own come when there is none.
 */
export async function privateApt(dir: string, source?: string): Promise<Apt> {
  for (const sub of ['lists/partial', 'cache/archives/partial', 'parts']) await mkdir(join(dir, sub), { recursive: true })
  await writeFile(join(dir, 'status'), '')
  if (source !== undefined) await writeFile(join(dir, 'sources'), `${source}\n`)
  await writeFile(
    join(dir, 'apt.conf'),
    [
      ...(source === undefined
        ? []
        : [`Dir::Etc::sourcelist "${dir}/sources";`, `Dir::Etc::sourceparts "${dir}/parts";`]),
      `Dir::Etc::preferencesparts "${dir}/parts";`,
      `Dir::State "${dir}";`,
      `Dir::State::lists "${dir}/lists";`,
      `Dir::State::status "${dir}/status";`,
      `Dir::Cache "${dir}/cache";`,
      'APT::Sandbox::User "root";',
      'Acquire::Languages "none";',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
      '#clear APT::Update::Post-Invoke-Success;',
      '#clear APT::Update::Post-Invoke;',
      '#clear DPkg::Post-Invoke;',
      '',
    ].join('\n'),
  )
  const env = { ...process.env, APT_CONFIG: join(dir, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' }
  return async (...args) =>
    void (await run('apt-get', args, { env, timeout: commandTimeoutMs, maxBuffer: outputBytesMax }))
}
