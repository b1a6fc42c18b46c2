// What `shiplog envtest path` does before it prints the path: bundles the programs, so that they start in half the time.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..', '..', '..', '..', 'envtest')

/** The directory of the programs. Without bundles they start too, only slower. */
export async function prepareEnvtest(): Promise<string> {
  const build = spawn(process.execPath, [join(root, 'lib', 'build.mjs')], { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = (await once(build, 'exit')) as [number | null]
  if (code !== 0) process.stderr.write('The programs could not be bundled (see above): they will start more slowly.\n')
  return join(root, 'bin')
}
