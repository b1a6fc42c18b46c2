// The images that Kubernetes' suite runs in its pods, made here under their names: no registry is asked. The suite's own server
// comes from its Go module; what it calls nginx is the small web server of busybox, on the same port.
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { issueCertificate, keyPem, newKeyPair } from '@shiplog/control-plane/identity/certificate'
import { imageArchive, type ImageConfig, type ImageFile } from '@shiplog/node/containerd/image-archive'
import { pauseProgram } from '@shiplog/node/containerd/pause-image'
import { provideNetworkTools } from '@shiplog/node/containerd/programs'
import type { ImageRegistry } from '../containers/image-registry.ts'
import { busyboxFiles, searchPath } from '../containers/node-image.ts'
import { provideUpstream } from '../upstream/provide.ts'

const certificateMs = 86_400_000
/** Runs as its owner, whoever starts it. */
const setUserId = 0o4755
const prefix = 'registry.k8s.io/e2e-test-images'

/** What hooks of the suite ask of curl, which busybox has none of: the body of one address. */
const curl: ImageFile = {
  path: 'usr/bin/curl',
  content: Buffer.from('#!/bin/sh\nfor address; do :; done\nexec wget -q -O - "$address"\n'),
  mode: 0o755,
}

const libraries = 'usr/lib/x86_64-linux-gnu'
const loader = 'ld-linux-x86-64.so.2'

/**
 * nc and dig as the suite calls them, with the libraries that they are linked to, and a shell: that of busybox runs its own nc,
 * whatever is on PATH.
 */
async function networkTools(): Promise<ImageFile[]> {
  const root = await provideNetworkTools()
  const program = async (from: string, path: string): Promise<ImageFile> => ({ path, content: await readFile(join(root, from)), mode: 0o755 })
  const entries = await readdir(join(root, libraries), { withFileTypes: true })
  const shared = entries.filter((entry) => /\.so(\.|$)/.test(entry.name) && !entry.isDirectory())
  return await Promise.all([
    program('usr/bin/nc.openbsd', 'usr/bin/nc'),
    program('usr/bin/dig', 'usr/bin/dig'),
    program('usr/bin/getent', 'usr/bin/getent'),
    program('usr/bin/dash', 'bin/sh'),
    program(join(libraries, loader), `lib64/${loader}`),
    ...shared.map(async (entry): Promise<ImageFile> => {
      const path = join(libraries, entry.name)
      return entry.isSymbolicLink() ? { path, link: await readlink(join(root, path)) } : await program(path, path)
    }),
  ])
}

/** With which the suite's server serves TLS, to clients that do not look at it. */
function serverKeys(): ImageFile[] {
  const keys = newKeyPair()
  const validity = { notBeforeMs: Date.now() - certificateMs, notAfterMs: Date.now() + certificateMs }
  const certificate = issueCertificate({ use: 'server', commonName: 'localhost', dnsNames: ['localhost'], ...validity }, keys)
  return [
    { path: 'localhost.crt', content: Buffer.from(certificate) },
    { path: 'localhost.key', content: Buffer.from(keyPem(keys.privateKey)) },
  ]
}

interface SuiteImage {
  readonly names: readonly string[]
  readonly files: readonly ImageFile[]
  readonly config: ImageConfig
}

/** The suite's demonstration: a server that says in data.json which picture it shows. A spec also reads what system it is built on. */
function pictureImage(animal: string, busybox: readonly ImageFile[]): SuiteImage {
  const data = Buffer.from(`{ "image": "${animal}.jpg" }\n`)
  return {
    names: [`${prefix}/${animal}:1.8`],
    files: [...busybox, { path: 'data.json', content: data }, { path: 'www/data.json', content: data }, { path: 'etc/os-release', content: Buffer.from('NAME="Alpine Linux"\n') }],
    config: { Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'], Env: [searchPath] },
  }
}

/** One program of upstream's, and nothing beside it: what an aggregated API server is tried with. */
async function programImage(
  names: readonly string[],
  binary: 'etcd' | 'sample-apiserver',
  path: string,
  progress: (line: string) => void,
): Promise<SuiteImage> {
  const content = await readFile(await provideUpstream(binary, progress))
  return { names, files: [{ path, content, mode: 0o755 }], config: { Entrypoint: [`/${path}`] } }
}

async function suiteImages(progress: (line: string) => void): Promise<SuiteImage[]> {
  const busybox = await busyboxFiles()
  const tools = await networkTools()
  const agnhost = await readFile(await provideUpstream('agnhost', progress))
  const server = [...busybox.filter(({ path }) => path !== 'bin/sh'), ...tools, ...serverKeys(), curl, { path: 'agnhost', content: agnhost, mode: 0o755 }, { path: 'agnhost-2', link: 'agnhost' }]
  const whoAmI = await readFile(await provideUpstream('nonewprivs', progress))
  const page: ImageFile = { path: 'www/index.html', content: Buffer.from('<title>Welcome to nginx!</title>\n') }
  return [
    {
      names: [`${prefix}/busybox:1.37.0-1`, `${prefix}/busybox:1.36.1-1`, 'docker.io/library/busybox:1'],
      files: busybox,
      config: { Cmd: ['sh'], Env: [searchPath] },
    },
    {
      names: [`${prefix}/agnhost:2.63.0`, `${prefix}/agnhost:2.55`, `${prefix}/glibc-dns-testing:2.0.0`],
      files: server,
      config: { Entrypoint: ['/agnhost'], Cmd: ['pause'], Env: [searchPath] },
    },
    {
      names: [`${prefix}/nginx:1.15-4`, `${prefix}/nginx:1.27-0`],
      files: [...busybox, page],
      config: { Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'], Env: [searchPath] },
    },
    ...['kitten', 'nautilus'].map((animal) => pictureImage(animal, busybox)),
    {
      names: [`${prefix}/nonewprivs:1.4`],
      files: [...busybox, { path: 'usr/local/bin/nnp', content: whoAmI, mode: setUserId }],
      config: { Cmd: ['nnp'], Env: [searchPath] },
    },
    await programImage([`${prefix}/sample-apiserver:1.29.2`], 'sample-apiserver', 'sample-apiserver', progress),
    await programImage(['registry.k8s.io/etcd:3.6.8-0'], 'etcd', 'usr/local/bin/etcd', progress),
    { names: [`${prefix}/nonroot:1.5`], files: busybox, config: { Cmd: ['id', '-u'], User: '1234', Env: [searchPath] } },
    {
      names: ['registry.k8s.io/pause:3.10.2'],
      files: [{ path: 'pause', content: pauseProgram(), mode: 0o755 }],
      config: { Entrypoint: ['/pause'] },
    },
  ]
}

/** Writes the archives into a directory and gives their paths; the registry has them as well, for specs that always pull. */
export async function makeSuiteImages(directory: string, registry: ImageRegistry, progress: (line: string) => void): Promise<string[]> {
  const images = await suiteImages(progress)
  for (const { names, files, config } of images) for (const name of names) registry.add(name.slice(name.indexOf('/') + 1), files, config)
  return await Promise.all(
    images.map(async ({ names, files, config }, index) => {
      const archive = join(directory, `image-${index}.tar`)
      await writeFile(archive, imageArchive(names, files, config))
      return archive
    }),
  )
}
