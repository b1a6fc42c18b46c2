// `shiplog image`: puts images into the nodes of a running cluster, as a registry would, and lists what they have. The nodes are
// found by their data directory; the cluster itself is not asked.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { loadImages, runningNodes } from '@shiplog/node/containerd/containerd-nodes'
import { provideNodePrograms } from '@shiplog/node/containerd/programs'
import { createCriClient } from '@shiplog/node/cri/cri-client'
import { systemClock } from '@shiplog/runtime/clock'

const run = promisify(execFile)
const saveTimeoutMs = 600_000

export interface ImageOptions {
  readonly dataDir: string
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function nodesOf({ dataDir }: ImageOptions): ReturnType<typeof runningNodes> {
  const nodes = runningNodes(join(resolve(dataDir), 'containers'))
  if (nodes.length === 0) throw new Error(`no nodes of containers run on ${resolve(dataDir)}: shiplog up --node containerd`)
  return nodes
}

/** Gives the exit code. */
export async function imageLoad(what: readonly string[], options: ImageOptions): Promise<number> {
  const nodes = nodesOf(options)
  const programs = await provideNodePrograms({ fetch: false })
  for (const one of what) {
    await using archive = existsSync(one) ? { path: one, async [Symbol.asyncDispose]() {} } : await saved(one)
    const names = await Promise.all(nodes.map(({ criSocket }) => loadImages(programs, criSocket, archive.path)))
    say(`${one}: ${names[0]!.join(', ')} on ${nodes.map(({ name }) => name).join(', ')}`)
  }
  return 0
}

/** An image of an engine of this machine, as an archive that is gone afterwards. */
async function saved(name: string): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-image-'))
  const path = join(directory, 'image.tar')
  const gone = async (): Promise<void> => rmSync(directory, { recursive: true, force: true })
  for (const engine of ['docker', 'podman']) {
    try {
      await run(engine, ['save', '-o', path, name], { timeout: saveTimeoutMs })
      return { path, [Symbol.asyncDispose]: gone }
    } catch {
      // The next one may have it.
    }
  }
  await gone()
  throw new Error(`${name} is neither a file nor an image of a docker or podman on this machine`)
}

/** Gives the exit code. */
export async function imageList(options: ImageOptions): Promise<number> {
  for (const { name, criSocket } of nodesOf(options)) {
    const client = createCriClient(criSocket, systemClock)
    for (const { id, repoTags, size } of await client.listImages()) {
      for (const tag of repoTags) say(`${name}\t${tag}\t${id.slice(7, 19)}\t${size}`)
    }
    client.close()
  }
  return 0
}
