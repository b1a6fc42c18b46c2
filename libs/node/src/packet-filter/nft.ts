// The packet filter port over the program nft, in the network namespace of a node.
import { spawn } from 'node:child_process'
import type { PacketFilter } from './packet-filter.ts'

/** A transaction of a whole large cluster takes seconds. */
const timeoutMs = 60_000
const outputBytesMax = 256 << 20
const faultCharactersMax = 2_000

export interface NftOptions {
  /** Path of nft. */
  readonly nft: string
  /** A process of the network namespace; that of this process when absent. */
  readonly namespacePid?: number
}

export function createNft({ nft, namespacePid }: NftOptions): PacketFilter {
  const call = (args: readonly string[], input = ''): Promise<string> =>
    namespacePid === undefined
      ? callProgram(nft, args, input)
      : callProgram('nsenter', ['-t', String(namespacePid), '--net', nft, ...args], input)
  return {
    async apply(commands) {
      await call(['-j', '-f', '-'], JSON.stringify({ nftables: commands }))
    },
    async list(family, table) {
      try {
        return await call(['-j', 'list', 'table', family, table])
      } catch (error) {
        if (/No such file or directory/.test((error as Error).message)) return undefined
        throw error
      }
    },
  }
}

function callProgram(program: string, args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe', timeout: timeoutMs })
    const output: Buffer[] = []
    let bytes = 0
    let fault = ''
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > outputBytesMax) child.kill()
      else output.push(chunk)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (fault = (fault + text).slice(0, faultCharactersMax)))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(output).toString('utf8'))
      else reject(new Error(`${program.split('/').at(-1)} ended with ${code ?? signal}: ${fault.trim()}`))
    })
    // A program that ends before it has read everything says why on its other end.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
