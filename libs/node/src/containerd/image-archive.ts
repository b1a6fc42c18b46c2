// Writes container images as OCI archives, from files in memory: no engine, no registry, no tools. The same files give the
// same digest. What a node needs of its own (the pause image) and what tests run in pods is made so.
import { createHash } from 'node:crypto'

export interface ImageFile {
  /** Relative: `bin/sh`. Folders above it are made. */
  readonly path: string
  readonly content?: Uint8Array
  /** A symbolic link to this. */
  readonly link?: string
  /** Permission bits; default 0644, for folders 0755. */
  readonly mode?: number
  readonly isDirectory?: boolean
  readonly uid?: number
  readonly gid?: number
}

/** As the image format names them. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Env?: readonly string[]
  readonly User?: string
  readonly WorkingDir?: string
  readonly ExposedPorts?: Readonly<Record<string, object>>
  readonly StopSignal?: string
}

const blockBytes = 512

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** One entry of a tar archive, with its content padded to whole blocks. */
function tarEntry({ path, content, link, mode, isDirectory, uid = 0, gid = 0 }: ImageFile): Uint8Array[] {
  const name = isDirectory ? `${path}/` : path
  if (Buffer.byteLength(name) > 100) throw new Error(`too long for an archive of ours: ${name}`)
  const size = content?.length ?? 0
  const header = Buffer.alloc(blockBytes)
  const octal = (value: number, at: number, length: number): void =>
    void header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  header.write(name, 0)
  octal(mode ?? (isDirectory ? 0o755 : 0o644), 100, 8)
  octal(uid, 108, 8)
  octal(gid, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  header.write('        ', 148, 'latin1')
  header.write(link !== undefined ? '2' : isDirectory ? '5' : '0', 156, 'latin1')
  if (link !== undefined) header.write(link, 157)
  header.write('ustar\0', 257, 'latin1')
  header.write('00', 263, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  const padding = Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes)
  return content === undefined ? [header] : [header, content, padding]
}

/** A tar archive of these files, sorted, with the folders that they need. */
export function tarOf(files: readonly ImageFile[]): Buffer {
  const all = new Map<string, ImageFile>()
  for (const file of files) {
    const parts = file.path.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/')
      if (!all.has(folder)) all.set(folder, { path: folder, isDirectory: true })
    }
    all.set(file.path, file)
  }
  const sorted = [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  return Buffer.concat([...sorted.flatMap(tarEntry), Buffer.alloc(2 * blockBytes)])
}

const goArchitecture = (): string => (process.arch === 'x64' ? 'amd64' : process.arch)

/** What a registry keeps of an image: everything by its digest, and which of it is the manifest. */
export interface ImageBlobs {
  /** By `sha256:…`. */
  readonly blobs: ReadonlyMap<string, Uint8Array>
  readonly manifest: { readonly digest: string; readonly size: number }
}

export const manifestType = 'application/vnd.oci.image.manifest.v1+json'

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** An image of one layer. */
export function imageBlobs(files: readonly ImageFile[], config: ImageConfig): ImageBlobs {
  const blobs = new Map<string, Uint8Array>()
  const put = (bytes: Uint8Array): { readonly digest: string; readonly size: number } => {
    const digest = `sha256:${digestOf(bytes)}`
    blobs.set(digest, bytes)
    return { digest, size: bytes.length }
  }
  const layer = put(tarOf(files))
  const configuration = put(
    json({
      created: '1970-01-01T00:00:00Z',
      architecture: goArchitecture(),
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
      history: [{ created_by: 'shiplog' }],
    }),
  )
  const manifest = put(
    json({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...configuration },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    }),
  )
  return { blobs, manifest }
}

/** The archive of an image of one layer, as `ctr images import` and `shiplog image load` take it. */
export function imageArchive(names: readonly string[], files: readonly ImageFile[], config: ImageConfig): Buffer {
  const { blobs, manifest } = imageBlobs(files, config)
  const index = {
    schemaVersion: 2,
    manifests: names.map((name) => ({ mediaType: manifestType, ...manifest, annotations: { 'io.containerd.image.name': name } })),
  }
  return tarOf([
    { path: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { path: 'index.json', content: json(index) },
    ...[...blobs].map(([digest, content]) => ({ path: `blobs/${digest.replace(':', '/')}`, content })),
  ])
}
