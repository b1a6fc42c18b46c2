// kubectl in the namespace `default`, for what is no conformance case.
import { type CommandOptions, runCommand } from '../src/command.ts'
import { eventually } from '../src/context.ts'
import type { Running } from '../src/suite.ts'

export interface CommandContext {
  /** Runs kubectl and returns what it printed; throws when it fails. */
  k(args: readonly string[], options?: CommandOptions): Promise<string>
  readonly eventually: typeof eventually
}

export const createCommandContext = ({ tools, cluster, directory }: Running): CommandContext => ({
  eventually,
  async k(args, options) {
    const all = ['--kubeconfig', cluster.kubeconfig, '--cache-dir', directory, ...args]
    const { code, stdout, stderr } = await runCommand(tools.kubectl, all, options)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr || stdout}`)
    return stdout
  },
})
