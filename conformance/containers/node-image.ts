// The image that tests of containers run: busybox under all its names, made here.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { ImageFile } from '@shiplog/node/containerd/image-archive'
import { provideBusybox } from '@shiplog/node/containerd/programs'

const run = promisify(execFile)

export const searchPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const text = (content: string): Buffer => Buffer.from(content)

/** A small system: busybox, users, and places to write. */
export async function busyboxFiles(): Promise<ImageFile[]> {
  const program = await provideBusybox()
  const { stdout } = await run(program, ['--list'])
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox')
  return [
    { path: 'bin/busybox', content: await readFile(program), mode: 0o755 },
    ...applets.map((name) => ({ path: `bin/${name}`, link: 'busybox' })),
    {
      path: 'etc/passwd',
      content: text(
        'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nuser-defined-in-image:x:1000:1000::/home:/bin/sh\n',
      ),
    },
    {
      path: 'etc/group',
      content: text(
        'root:x:0:\nnobody:x:65534:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n',
      ),
    },
    { path: 'tmp', isDirectory: true, mode: 0o1777 },
    { path: 'root', isDirectory: true, mode: 0o700 },
    { path: 'home', isDirectory: true },
    { path: 'uploads', isDirectory: true },
  ]
}
