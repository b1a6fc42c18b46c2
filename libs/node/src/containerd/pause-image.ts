// The pause image: what keeps the namespaces of a pod open. Its one program waits for ever and lets the kernel bury the
// processes that are left to it; it is a few machine instructions, written here, so that no compiler and no registry is needed.
import { imageArchive } from './image-archive.ts'

/** As containerd knows it. */
export const pauseImage = 'shiplog.dev/pause:1'

const loadAddress = 0x400000n
/** The headers of an ELF file with one segment. */
const headerBytes = 120

/** rt_sigaction(SIGCHLD, SIG_IGN), then pause() again and again. */
const code = Buffer.from([
  ...[0xb8, 0x0d, 0, 0, 0, 0xbf, 0x11, 0, 0, 0], // rax = rt_sigaction, rdi = SIGCHLD
  ...[0x48, 0x8d, 0x35, 0x15, 0, 0, 0, 0x31, 0xd2], // rsi = the action below, rdx = 0
  ...[0x41, 0xba, 0x08, 0, 0, 0, 0x0f, 0x05], // r10 = 8 (size of a signal set), system call
  ...[0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7], // rax = pause, system call, back to it
  ...[0x90, 0x90],
  ...[1, 0, 0, 0, 0, 0, 0, 0], // the handler: SIG_IGN
  ...Array<number>(24).fill(0), // no flags, no restorer, no mask
])

/** A static program for x86-64. */
export function pauseProgram(): Buffer {
  const size = BigInt(headerBytes + code.length)
  const header = Buffer.alloc(headerBytes)
  header.write('\x7fELF', 0, 'latin1')
  header.set([2, 1, 1], 4) // 64 bits, little endian, version 1
  header.writeUInt16LE(2, 16) // an executable
  header.writeUInt16LE(62, 18) // for x86-64
  header.writeUInt32LE(1, 20)
  header.writeBigUInt64LE(loadAddress + BigInt(headerBytes), 24) // entry
  header.writeBigUInt64LE(64n, 32) // where the one program header lies
  header.writeUInt16LE(64, 52)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(1, 56)
  header.writeUInt32LE(1, 64) // a segment to be loaded
  header.writeUInt32LE(5, 68) // readable, executable
  header.writeBigUInt64LE(loadAddress, 80)
  header.writeBigUInt64LE(loadAddress, 88)
  header.writeBigUInt64LE(size, 96)
  header.writeBigUInt64LE(size, 104)
  header.writeBigUInt64LE(0x1000n, 112)
  return Buffer.concat([header, code])
}

export const pauseArchive = (): Buffer =>
  imageArchive([pauseImage], [{ path: 'pause', content: pauseProgram(), mode: 0o755 }], { Entrypoint: ['/pause'] })
